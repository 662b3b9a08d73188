import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Properties;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * A member of a group, until its input ends: prints "TOPIC PARTITION OFFSET VALUE" for each record.
 * Arguments: HOST:PORT GROUP CLIENT ASSIGNOR[,ASSIGNOR] TOPIC[,TOPIC]
 */
public class Member {
	static volatile boolean ended;

	public static void main(String[] args) throws Exception {
		Properties conf = new Properties();
		conf.put("bootstrap.servers", args[0]);
		conf.put("group.id", args[1]);
		conf.put("client.id", args[2]);
		conf.put("partition.assignment.strategy", args[3]);
		conf.put("auto.offset.reset", "earliest");
		conf.put("auto.commit.interval.ms", "100");
		conf.put("heartbeat.interval.ms", "500");
		conf.put("session.timeout.ms", "10000");
		List<String> topics = Arrays.asList(args[4].split(","));
		new Thread(() -> {
			try {
				while (System.in.read() >= 0)
					continue;
			} catch (java.io.IOException e) {
				// As good as its end.
			}
			ended = true;
		}).start();
		var bytes = new ByteArrayDeserializer();
		try (var consumer = new KafkaConsumer<byte[], byte[]>(conf, bytes, bytes)) {
			consumer.subscribe(topics);
			while (!ended) {
				for (var r : consumer.poll(Duration.ofMillis(100)))
					System.out.println(r.topic() + " " + r.partition() + " "
						+ r.offset() + " " + new String(r.value()));
				System.out.flush();
			}
		}
	}
}
