"""An ordinary gRPC server that registers itself with Chappe."""

import argparse
import os
import random
import signal
import sys
import threading
import time
from concurrent import futures

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "gen"))

import grpc
from example.dice.v1 import dice_service_pb2 as dice
from example.dice.v1 import dice_service_pb2_grpc as dice_grpc

from register import Registration


class Dice(dice_grpc.DiceServiceServicer):
    def __init__(self, instance):
        self.instance = instance
        self.thrown = 0

    def Roll(self, request, context):
        if not (2 <= request.sides <= 1000 and 1 <= request.count <= 100):
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "sides must be 2 to 1000, count 1 to 100")
        self.thrown += request.count
        return dice.RollResponse(values=[random.randint(1, request.sides) for _ in range(request.count)])

    def WhoAmI(self, request, context):
        headers = dict(context.invocation_metadata())
        return dice.WhoAmIResponse(
            user_id=int(headers["chappe-user-id"]),
            kind=headers["chappe-kind"],
            traceparent=headers.get("traceparent", ""),
            remaining_ms=int(context.time_remaining() * 1000),
            instance_id=self.instance,
            language="python",
            connection=headers.get("chappe-connection", ""),
        )

    def Sleep(self, request, context):
        time.sleep(max(0, min(request.duration_ms / 1000, context.time_remaining())))
        return dice.SleepResponse()

    def Load(self, request, context):
        return dice.LoadResponse(thrown=self.thrown)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--route", default="127.0.0.1:9090", help="gRPC port of Chappe, or the registration ports of all Routes with commas")
    parser.add_argument("--secret", default="telegraph")
    parser.add_argument("--ca", help="PEM certificates that vouch for the Routes; none = no TLS")
    parser.add_argument("--identity", default="dev")
    parser.add_argument("--instance", default=f"python-{os.getpid()}")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--once", action="store_true", help="stop when the lease ends")
    args = parser.parse_args()

    server = grpc.server(futures.ThreadPoolExecutor(max_workers=16))
    dice_grpc.add_DiceServiceServicer_to_server(Dice(args.instance), server)
    port = server.add_insecure_port(f"127.0.0.1:{args.port}")
    server.start()

    stopping = threading.Event()
    service = dice.DESCRIPTOR.services_by_name["DiceService"]
    living = {}

    def keep(route):
        while not stopping.is_set():
            living[route] = registration = Registration(
                route, args.secret, args.identity, 1000, service, args.instance, f"127.0.0.1:{port}", args.ca
            )
            try:
                registration.keep(lambda accepted: print("registered", accepted.contract_hash, flush=True))
            except grpc.RpcError as error:
                print("refused:" if args.once else "registration ended:", error.code(), error.details(), flush=True)
                if args.once:
                    os._exit(1)
                stopping.wait(0.5)

    def stop(*_):
        stopping.set()
        for registration in list(living.values()):
            registration.drain()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    leases = [threading.Thread(target=keep, args=(route,)) for route in args.route.split(",")]
    for lease in leases:
        lease.start()
    for lease in leases:
        lease.join()
    server.stop(grace=5).wait()


if __name__ == "__main__":
    main()
