import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.hbase.HBaseConfiguration;
import org.apache.hadoop.hbase.TableName;
import org.apache.hadoop.hbase.client.Admin;
import org.apache.hadoop.hbase.client.ColumnFamilyDescriptorBuilder;
import org.apache.hadoop.hbase.client.Connection;
import org.apache.hadoop.hbase.client.ConnectionFactory;
import org.apache.hadoop.hbase.client.TableDescriptorBuilder;
import org.apache.hadoop.hbase.util.Bytes;

/**
 * Creates the tables that are not there. The first argument is ZooKeeper's host:port, each further one
 * name:family:splitKey,splitKey with the keys in hex.
 */
public final class CreateTables {
  public static void main(String[] args) throws Exception {
    Configuration configuration = HBaseConfiguration.create();
    int colon = args[0].lastIndexOf(':');
    configuration.set("hbase.zookeeper.quorum", args[0].substring(0, colon));
    configuration.set("hbase.zookeeper.property.clientPort", args[0].substring(colon + 1));
    try (Connection connection = ConnectionFactory.createConnection(configuration);
        Admin admin = connection.getAdmin()) {
      for (String table : Arrays.asList(args).subList(1, args.length)) {
        String[] parts = table.split(":", -1);
        TableName name = TableName.valueOf(parts[0]);
        if (admin.tableExists(name)) continue;
        List<byte[]> splitKeys = new ArrayList<>();
        for (String key : parts[2].split(",")) if (!key.isEmpty()) splitKeys.add(Bytes.fromHex(key));
        admin.createTable(
            TableDescriptorBuilder.newBuilder(name)
                .setColumnFamily(ColumnFamilyDescriptorBuilder.of(parts[1]))
                .build(),
            splitKeys.isEmpty() ? null : splitKeys.toArray(new byte[0][]));
      }
    }
  }
}
