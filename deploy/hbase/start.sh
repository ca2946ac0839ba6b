#!/bin/sh
# Runs ZooKeeper, the master and the region server; ends when one of them does. Folders are relative to this one.
run() {
  java -Xmx384m -XX:+UseSerialGC -Djava.net.preferIPv4Stack=true \
    --add-opens=java.base/java.lang=ALL-UNNAMED --add-opens=java.base/java.nio=ALL-UNNAMED \
    --add-opens=java.base/sun.nio.ch=ALL-UNNAMED --add-opens=java.base/java.lang.reflect=ALL-UNNAMED \
    --add-opens=java.base/jdk.internal.ref=ALL-UNNAMED --add-exports=java.base/jdk.internal.misc=ALL-UNNAMED \
    --add-exports=java.security.jgss/sun.security.krb5=ALL-UNNAMED -cp "conf:lib/*" "org.apache.hadoop.hbase.$@"
}
trap "exit 1" TERM
rm -f master.log
{ run zookeeper.HQuorumPeer start; kill $$; } &
{ run regionserver.HRegionServer start; kill $$; } &
{ run master.HMaster start 2>&1 | tee master.log; kill $$; } &
wait
