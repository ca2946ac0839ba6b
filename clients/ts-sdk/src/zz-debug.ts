import { collect } from "../test-support/collect.ts";
import { fastLimits } from "../test-support/fast-limits.ts";
import { faultSchedule } from "../test-support/fault-schedule.ts";
import { seededRandom } from "../test-support/random.ts";
import { ScriptedServer } from "../test-support/scripted-server.ts";
import { connect } from "./connect.ts";
import { directConversationId, toHex } from "./ids.ts";
const users=[1n,2n,3n]; const conversations = [directConversationId(1n, 2n), directConversationId(2n, 3n), directConversationId(1n, 3n)];
async function run(seed:number){
  const server = await ScriptedServer.start({ echo: seed % 3 === 0, hintMs: 10, pageMessages: 5 + (seed % 20) });
  const schedule = faultSchedule(seed); server.faults = schedule;
  const random = seededRandom(seed ^ 0x5eed);
  const clients = await Promise.all(users.map((user) => connect({ url: server.url, token: `user-${user}`, limits: fastLimits })));
  const seen = clients.map((client) => collect(client)); const handles:any[]=[];
  for (let round = 0; round < 6; round++) {
      for (let i = random.below(6); i >= 0; i--) {
        const id = random.pick(conversations);
        const sender = random.pick(clients.filter((client) => server.conversation(id).members.includes(client.userId)));
        handles.push(sender.send(id, { text: `${handles.length}` }));
      }
      if (random.chance(0.2)) for (const connection of server.connections) connection.close(random.pick([undefined, 1001, 4007]));
      await new Promise((resolve) => setTimeout(resolve, random.below(8)));
  }
  schedule.stop();
  const t=setTimeout(()=>{
    console.log("STUCK", seed, server.requests.slice(-10), server.connections.size);
    for (const c of clients) console.log(c.userId, c.status, c.pending.map(h=>[h.state, toHex(h.conversationId).slice(-1)]));
    for (const id of conversations) { const m=server.conversation(id); console.log(toHex(id), m.head, clients.map((c,i)=>[c.userId, seen[i]!.seqs(id).length, c.conversation(id).head, c.conversation(id).have])); }
    process.exit(1);
  }, 4000);
  await Promise.all(handles.map((h) => h.sequenced));
  for (const id of conversations) { const m=server.conversation(id);
    await Promise.all(clients.flatMap((c,i)=>m.members.includes(c.userId)?[seen[i]!.reached(id,m.head)]:[])); }
  clearTimeout(t);
  await Promise.all(clients.map(c=>c.close())); await server.close();
}
const [from,to]=[Number(process.argv[2]),Number(process.argv[3])];
const q=[]; for(let s=from;s<=to;s++) q.push(s);
await Promise.all(Array.from({length:20}, async()=>{ for(let s=q.shift(); s!==undefined; s=q.shift()) await run(s); }));
console.log("done");
