"""Tells Chappe's Route that a gRPC server serves an SVID, for as long as a stream is open."""

import pathlib
import queue

import grpc
from chappe.mesh.v1 import registry_service_pb2 as registry
from chappe.mesh.v1 import registry_service_pb2_grpc as registry_grpc


def _files(file, seen):
    if file.name not in seen:
        seen[file.name] = file.serialized_pb
        for imported in file.dependencies:
            _files(imported, seen)
    return seen


class Registration:
    """One lease. `service` is the descriptor of the service, `address` the host:port of its server, `ca` the path of
    the PEM certificates that vouch for the Route; None = no TLS."""

    def __init__(self, route, secret, identity, svid, service, instance_id, address, ca=None):
        self._outgoing = queue.SimpleQueue()
        first = registry.Registration(
            svid=svid,
            service=service.full_name,
            instance_id=instance_id,
            address=address,
            identity=identity,
            files=_files(service.file, {}).values(),
        )
        self._outgoing.put(registry.RegisterRequest(registration=first))
        if ca is None:
            self._channel = grpc.insecure_channel(route)
        else:
            self._channel = grpc.secure_channel(route, grpc.ssl_channel_credentials(pathlib.Path(ca).read_bytes()))
        stub = registry_grpc.RegistryServiceStub(self._channel)
        headers = [("authorization", f"Bearer {secret}")]
        self._replies = stub.Register(iter(self._outgoing.get, None), metadata=headers)

    def keep(self, on_accepted):
        """Answers pings until the lease ends. Returns when it is drained, raises grpc.RpcError when it is lost."""
        try:
            for reply in self._replies:
                event = reply.WhichOneof("event")
                if event == "accepted":
                    on_accepted(reply.accepted)
                elif event == "ping":
                    self._outgoing.put(registry.RegisterRequest(heartbeat=registry.RegistryHeartbeat()))
                elif event == "drained":
                    return
        finally:
            self._outgoing.put(None)
            self._channel.close()

    def drain(self):
        """No new calls; keep() returns when those in hand are answered."""
        self._outgoing.put(registry.RegisterRequest(drain=registry.RegistryDrain()))
