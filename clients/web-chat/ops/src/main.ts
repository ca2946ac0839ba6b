import { createRowList, el } from "../../src/dom.ts";
import { type OpsStats, readStats, readTrace, type SlowMessage, type SwitchState, setSwitch } from "./ops-data.ts";
import { renderSwitch } from "./switches.ts";
import { type Tile, tilesOf } from "./tiles.ts";
import { renderTrace } from "./waterfall.ts";

const pollMs = 1_000;

function renderTile({ name, value, note, share, isBad }: Tile): HTMLElement {
  const meter = share === undefined ? undefined : el("meter", { min: 0, max: 1, value: share, "aria-label": name });
  const figure = el("dd", isBad === true ? { class: "bad" } : {}, value, el("small", {}, note), meter);
  return el("div", { "data-tile": name }, el("dt", {}, name), figure);
}

const errorText = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** The box that asks where a message is, and its answer. */
function createTraceBox() {
  const input = el("input", { name: "id", "aria-label": "Client message id", placeholder: "client message id" });
  const answer = el("div", {});
  const show = async (id: string): Promise<void> => {
    input.value = id;
    answer.replaceChildren(
      await readTrace(id).then(
        (report) => renderTrace(id, report),
        (error: unknown) => el("p", { class: "bad", role: "status" }, errorText(error)),
      ),
    );
  };
  const onSubmit = (event: Event): void => {
    event.preventDefault();
    void show(input.value.trim());
  };
  const form = el("form", { onSubmit }, input, el("button", { type: "submit" }, "Find"));
  return { section: el("section", {}, el("h2", {}, "Where is my message?"), form, answer), show };
}

/** The list of slow messages; `onPick` is told which one is of interest. */
function createSlowList(onPick: (id: string) => void) {
  const list = el("div", { class: "slow" });
  const nothing = el("p", { class: "soft" }, "No message has passed lately.");
  const setRows = createRowList(list);
  const render = ({ id, seq, sentMs, tookMs, isOnDevice }: SlowMessage): HTMLElement => {
    const place = `seq ${seq}, ${isOnDevice ? "on a device" : "sequenced"}`;
    return el(
      "button",
      { type: "button", onClick: () => onPick(id) },
      el("strong", {}, `${tookMs.toFixed(0)} ms`),
      el("span", {}, `${place}, sent ${new Date(sentMs).toLocaleTimeString()}`),
      el("code", { class: "soft" }, id),
    );
  };
  return {
    section: el("section", {}, el("h2", {}, "Slowest of the latest messages"), nothing, list),
    show(slow: readonly SlowMessage[]): void {
      nothing.hidden = slow.length > 0;
      setRows(
        slow.map((one) => ({ key: one.id, signature: `${one.tookMs} ${one.isOnDevice}`, render: () => render(one) })),
      );
    },
  };
}

/** Failures on demand; not to be seen when the process has none. */
function createFailures(onError: (error: unknown) => void) {
  const list = el("div", {});
  const section = el("section", { hidden: true }, el("h2", {}, "Failures on demand (development mode)"), list);
  const setRows = createRowList(list);
  const set = (name: string, forMs: number): void => void setSwitch(name, forMs).catch(onError);
  return {
    section,
    show(states: readonly SwitchState[] | undefined): void {
      section.hidden = states === undefined;
      setRows(
        (states ?? []).map((state) => ({
          key: state.name,
          signature: String(Math.ceil(state.leftMs / 1_000)),
          render: () => renderSwitch(state, set),
        })),
      );
    },
  };
}

function createPage(parent: HTMLElement) {
  const status = el("span", { class: "soft", role: "status" }, "asking ...");
  const say = (text: string, isBad: boolean): void => {
    status.replaceChildren(text);
    status.className = isBad ? "bad" : "soft";
  };
  const fail = (error: unknown): void => say(`no answer: ${errorText(error)}`, true);
  const tiles = el("dl", { class: "tiles" });
  const setTiles = createRowList(tiles);
  const trace = createTraceBox();
  const slow = createSlowList((id) => void trace.show(id));
  const failures = createFailures(fail);
  parent.append(
    el("header", {}, el("h1", {}, "Chappe ops"), status),
    el("section", { "aria-label": "Figures" }, tiles),
    slow.section,
    trace.section,
    failures.section,
  );
  return {
    show(now: OpsStats, before: OpsStats | undefined): void {
      say(`${now.instance}, ${new Date(now.timeMs).toLocaleTimeString()}`, false);
      setTiles(
        tilesOf(now, before).map((tile) => ({
          key: tile.name,
          signature: JSON.stringify(tile),
          render: () => renderTile(tile),
        })),
      );
      slow.show(now.slow);
      failures.show(now.switches);
    },
    fail,
  };
}

async function poll(page: ReturnType<typeof createPage>): Promise<void> {
  let before: OpsStats | undefined;
  for (;;) {
    try {
      const now = await readStats();
      page.show(now, before);
      before = now;
    } catch (error) {
      page.fail(error);
    }
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}

void poll(createPage(document.getElementById("app")!));
