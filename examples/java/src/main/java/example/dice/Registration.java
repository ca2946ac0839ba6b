package example.dice;

import chappe.mesh.v1.RegistryServiceGrpc;
import chappe.mesh.v1.RegistryServiceOuterClass.RegisterRequest;
import chappe.mesh.v1.RegistryServiceOuterClass.RegisterResponse;
import chappe.mesh.v1.RegistryServiceOuterClass.RegistryDrain;
import chappe.mesh.v1.RegistryServiceOuterClass.RegistryHeartbeat;
import com.google.protobuf.Descriptors.FileDescriptor;
import com.google.protobuf.Descriptors.ServiceDescriptor;
import io.grpc.ChannelCredentials;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.TlsChannelCredentials;
import io.grpc.stub.MetadataUtils;
import io.grpc.stub.StreamObserver;
import java.io.File;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.CompletableFuture;

/** Tells Chappe's Route that a gRPC server serves an SVID, for as long as the stream is open. */
final class Registration implements StreamObserver<RegisterResponse> {
  private final ManagedChannel channel;
  private final StreamObserver<RegisterRequest> requests;
  private final CompletableFuture<Throwable> ended = new CompletableFuture<>();

  /** `ca` is the path of the PEM certificates that vouch for the Route; null = no TLS. */
  Registration(String route, String secret, String ca, chappe.mesh.v1.RegistryServiceOuterClass.Registration what) throws IOException {
    Metadata headers = new Metadata();
    headers.put(Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER), "Bearer " + secret);
    ChannelCredentials transport = ca == null ? InsecureChannelCredentials.create()
        : TlsChannelCredentials.newBuilder().trustManager(new File(ca)).build();
    channel = Grpc.newChannelBuilder(route, transport).build();
    requests = RegistryServiceGrpc.newStub(channel)
        .withInterceptors(MetadataUtils.newAttachHeadersInterceptor(headers))
        .register(this);
    requests.onNext(RegisterRequest.newBuilder().setRegistration(what).build());
  }

  static chappe.mesh.v1.RegistryServiceOuterClass.Registration.Builder describe(ServiceDescriptor service) {
    Map<String, FileDescriptor> files = new LinkedHashMap<>();
    collect(service.getFile(), files);
    var builder = chappe.mesh.v1.RegistryServiceOuterClass.Registration.newBuilder().setService(service.getFullName());
    for (FileDescriptor file : files.values()) builder.addFiles(file.toProto().toByteString());
    return builder;
  }

  private static void collect(FileDescriptor file, Map<String, FileDescriptor> files) {
    if (files.put(file.getName(), file) == null) for (FileDescriptor imported : file.getDependencies()) collect(imported, files);
  }

  /** Waits for the end of the lease; null = drained. */
  Throwable await() throws Exception {
    Throwable cause = ended.get();
    channel.shutdownNow();
    return cause;
  }

  /** No new calls; the lease ends when those in hand are answered. */
  void drain() {
    send(RegisterRequest.newBuilder().setDrain(RegistryDrain.getDefaultInstance()).build());
  }

  private synchronized void send(RegisterRequest request) {
    if (!ended.isDone()) requests.onNext(request);
  }

  @Override
  public void onNext(RegisterResponse response) {
    switch (response.getEventCase()) {
      case ACCEPTED -> System.out.println("registered " + response.getAccepted().getContractHash());
      case PING -> send(RegisterRequest.newBuilder().setHeartbeat(RegistryHeartbeat.getDefaultInstance()).build());
      case DRAINED -> ended.complete(null);
      default -> { }
    }
  }

  @Override
  public void onError(Throwable cause) {
    ended.complete(cause);
  }

  @Override
  public void onCompleted() {
    ended.complete(new IllegalStateException("Route ended the lease"));
  }
}
