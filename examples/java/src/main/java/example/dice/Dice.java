package example.dice;

import example.dice.v1.DiceServiceGrpc;
import example.dice.v1.DiceServiceOuterClass;
import example.dice.v1.DiceServiceOuterClass.LoadRequest;
import example.dice.v1.DiceServiceOuterClass.LoadResponse;
import example.dice.v1.DiceServiceOuterClass.RollRequest;
import example.dice.v1.DiceServiceOuterClass.RollResponse;
import example.dice.v1.DiceServiceOuterClass.SleepRequest;
import example.dice.v1.DiceServiceOuterClass.SleepResponse;
import example.dice.v1.DiceServiceOuterClass.WhoAmIRequest;
import example.dice.v1.DiceServiceOuterClass.WhoAmIResponse;
import io.grpc.Context;
import io.grpc.Contexts;
import io.grpc.Metadata;
import io.grpc.Server;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;

/** An ordinary gRPC server that registers itself with Chappe. */
public final class Dice extends DiceServiceGrpc.DiceServiceImplBase {
  private static final Context.Key<Metadata> HEADERS = Context.key("headers");
  private final String instance;
  private final AtomicLong thrown = new AtomicLong();

  private Dice(String instance) {
    this.instance = instance;
  }

  @Override
  public void roll(RollRequest request, StreamObserver<RollResponse> answer) {
    int sides = request.getSides();
    int count = request.getCount();
    if (sides < 2 || sides > 1000 || count < 1 || count > 100) {
      String text = "sides must be 2 to 1000, count 1 to 100";
      answer.onError(Status.INVALID_ARGUMENT.withDescription(text).asRuntimeException());
      return;
    }
    RollResponse.Builder response = RollResponse.newBuilder();
    for (int i = 0; i < count; i++) response.addValues(1 + ThreadLocalRandom.current().nextInt(sides));
    thrown.addAndGet(count);
    reply(answer, response.build());
  }

  @Override
  public void whoAmI(WhoAmIRequest request, StreamObserver<WhoAmIResponse> answer) {
    long remainingMs = Context.current().getDeadline().timeRemaining(TimeUnit.MILLISECONDS);
    reply(answer, WhoAmIResponse.newBuilder()
        .setUserId(Long.parseUnsignedLong(header("chappe-user-id")))
        .setKind(header("chappe-kind"))
        .setTraceparent(header("traceparent"))
        .setRemainingMs(remainingMs)
        .setInstanceId(instance)
        .setLanguage("java")
        .setConnection(header("chappe-connection"))
        .build());
  }

  @Override
  public void sleep(SleepRequest request, StreamObserver<SleepResponse> answer) {
    try {
      long leftMs = Context.current().getDeadline().timeRemaining(TimeUnit.MILLISECONDS);
      Thread.sleep(Math.max(0, Math.min(request.getDurationMs(), leftMs)));
      reply(answer, SleepResponse.getDefaultInstance());
    } catch (InterruptedException gone) {
      answer.onError(Status.CANCELLED.asRuntimeException());
    }
  }

  @Override
  public void load(LoadRequest request, StreamObserver<LoadResponse> answer) {
    reply(answer, LoadResponse.newBuilder().setThrown(thrown.get()).build());
  }

  private static <T> void reply(StreamObserver<T> answer, T response) {
    answer.onNext(response);
    answer.onCompleted();
  }

  private static String header(String name) {
    String value = HEADERS.get().get(Metadata.Key.of(name, Metadata.ASCII_STRING_MARSHALLER));
    return value == null ? "" : value;
  }

  private static final class KeepHeaders implements ServerInterceptor {
    @Override
    public <Q, A> ServerCall.Listener<Q> interceptCall(ServerCall<Q, A> call, Metadata headers, ServerCallHandler<Q, A> next) {
      return Contexts.interceptCall(Context.current().withValue(HEADERS, headers), call, headers, next);
    }
  }

  public static void main(String[] args) throws Exception {
    Map<String, String> flags = new HashMap<>(Map.of("route", "127.0.0.1:9090", "secret", "telegraph", "identity", "dev",
        "instance", "java-" + ProcessHandle.current().pid(), "port", "0"));
    boolean once = false;
    for (int i = 0; i < args.length; i++) {
      if (args[i].equals("--once")) once = true;
      else flags.put(args[i].substring(2), args[++i]);
    }
    InetSocketAddress at = new InetSocketAddress("127.0.0.1", Integer.parseInt(flags.get("port")));
    Server server = NettyServerBuilder.forAddress(at).intercept(new KeepHeaders())
        .addService(new Dice(flags.get("instance"))).build().start();
    var service = DiceServiceOuterClass.getDescriptor().findServiceByName("DiceService");
    var what = Registration.describe(service).setSvid(1000).setInstanceId(flags.get("instance"))
        .setIdentity(flags.get("identity")).setAddress("127.0.0.1:" + server.getPort()).build();
    List<Thread> leases = new ArrayList<>();
    for (String route : flags.get("route").split(",")) {
      boolean only = once;
      leases.add(new Thread(() -> keep(route, flags.get("secret"), flags.get("ca"), what, server, only)));
    }
    for (Thread lease : leases) lease.start();
    for (Thread lease : leases) lease.join();
  }

  private static void keep(String route, String secret, String ca, chappe.mesh.v1.RegistryServiceOuterClass.Registration what,
      Server server, boolean once) {
    while (true) {
      Registration registration;
      try {
        registration = new Registration(route, secret, ca, what);
      } catch (IOException unreadable) {
        System.out.println("registration ended: " + unreadable.getMessage());
        return;
      }
      Thread drain = new Thread(() -> {
        registration.drain();
        try {
          registration.await();
          server.shutdown().awaitTermination(5, TimeUnit.SECONDS);
        } catch (Exception ignored) { }
      });
      Runtime.getRuntime().addShutdownHook(drain);
      try {
        Throwable cause = registration.await();
        if (cause == null) return;
        System.out.println((once ? "refused: " : "registration ended: ") + cause.getMessage());
        Runtime.getRuntime().removeShutdownHook(drain);
        if (once) System.exit(1);
        Thread.sleep(500);
      } catch (Exception stopped) {
        return;
      }
    }
  }
}
