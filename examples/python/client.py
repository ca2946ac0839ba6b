"""A chat client over gRPC: keeps a session open, sends one text, prints what arrives."""

import argparse
import os
import queue
import secrets
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "gen"))

import grpc
from chappe.business.v1 import auth_service_pb2 as auth
from chappe.business.v1 import auth_service_pb2_grpc as auth_grpc
from chappe.edge.v1 import edge_stream_pb2_grpc as edge_grpc
from chappe.edge.v1 import session_pb2 as session
from chappe.mesh.v1 import error_pb2 as error
from chappe.mesh.v1 import options_pb2 as options
from chappe.mesh.v1 import packet_pb2 as packets
from chappe.msg.v1 import message_pb2 as messages
from chappe.msg.v1 import message_service_pb2 as message_service
from chappe.msg.v1 import message_service_pb2_grpc as message_grpc

DEADLINE_SECONDS = 10


def address(service, method):
    """SVID and CMD of a method, as its contract has them."""
    return service.GetOptions().Extensions[options.svid], service.methods_by_name[method].GetOptions().Extensions[options.cmd]


SESSION = session.DESCRIPTOR.services_by_name["SessionService"]
ARRIVED = messages.MessageArrived.DESCRIPTOR.GetOptions().Extensions[options.event]


class Session:
    """A long connection: packets out by a queue, packets in by iteration."""

    def __init__(self, channel):
        self._outgoing = queue.SimpleQueue()
        self._calls = 0
        self._closed = threading.Event()
        self._batches = edge_grpc.EdgeServiceStub(channel).Connect(iter(self._outgoing.get, None))

    def request(self, method, message):
        svid, cmd = address(SESSION, method)
        self._calls += 1
        self._put(kind=packets.PACKET_KIND_REQUEST, svid=svid, cmd=cmd, id=self._calls, payload=message.SerializeToString())

    def acknowledge(self, conversation_id, seq):
        """Everything of the conversation up to `seq` is here; without it the server reminds us."""
        ack = session.ConversationAck(conversation_id=conversation_id, seq=seq)
        self._put(kind=packets.PACKET_KIND_ACK, payload=session.DeliveryAck(acks=[ack]).SerializeToString())

    def __iter__(self):
        for batch in self._batches:
            for packet in batch.packets:
                if packet.kind == packets.PACKET_KIND_ERROR:
                    raise RuntimeError(error.ErrorDetail.FromString(packet.payload).name)
                yield packet

    def keep_alive(self, interval_ms):
        """Sends heartbeats from a thread; without them the server ends the session."""
        def beat():
            while not self._closed.wait(interval_ms / 1000):
                self.request("Heartbeat", session.HeartbeatRequest())

        threading.Thread(target=beat, daemon=True).start()

    def close(self):
        self._closed.set()
        self._outgoing.put(None)

    def _put(self, **fields):
        self._outgoing.put(packets.PacketBatch(packets=[packets.Packet(**fields)]))


def direct_conversation(one, other):
    return b"".join(user.to_bytes(8, "big") for user in sorted((one, other)))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", default="127.0.0.1:9090", help="gRPC port of Chappe")
    parser.add_argument("--name", default="alice")
    parser.add_argument("--password", default="telegraph")
    parser.add_argument("--to", type=int, help="user id to send to")
    parser.add_argument("--text", default="Hello from Python")
    parser.add_argument("--until", type=int, default=0, help="stop after so many messages of others; 0 = never")
    args = parser.parse_args()

    channel = grpc.insecure_channel(args.server)
    signed_in = auth_grpc.AuthServiceStub(channel).SignIn(
        auth.SignInRequest(name=args.name, password=args.password), timeout=DEADLINE_SECONDS
    )
    token = signed_in.tokens.access_token

    connection = Session(channel)
    connection.request("Hello", session.HelloRequest(token=token, device_id=secrets.randbits(63) | 1, agent="python-example"))
    incoming = iter(connection)
    welcome = session.HelloResponse.FromString(next(incoming).payload)
    connection.keep_alive(welcome.heartbeat_interval_ms)
    print("welcome", welcome.user_id, flush=True)

    if args.to is not None:
        content = messages.MessageContent(text=messages.TextContent(text=args.text))
        request = message_service.SendRequest(
            conversation_id=direct_conversation(welcome.user_id, args.to),
            messages=[message_service.OutgoingMessage(content=content)],
        )
        headers = [("authorization", f"Bearer {token}")]
        message_grpc.MessageServiceStub(channel).Send(request, metadata=headers, timeout=DEADLINE_SECONDS)
        print("durable", flush=True)

    heard = 0
    for packet in incoming:
        if (packet.kind, packet.svid, packet.cmd) != (packets.PACKET_KIND_PUSH, ARRIVED.svid, ARRIVED.cmd):
            continue
        arrived = messages.MessageArrived.FromString(packet.payload)
        for message in arrived.messages:
            print(f"seq={message.seq} from={message.sender_id}: {message.content.text.text}", flush=True)
            heard += message.sender_id != welcome.user_id
        connection.acknowledge(arrived.conversation_id, arrived.messages[-1].seq)
        if 0 < args.until <= heard:
            break
    connection.close()
    channel.close()


if __name__ == "__main__":
    main()
