import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.Future;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Where Java's producer puts keys by default: reads a key in hexadecimal per line, sends a
 * record to each TOPIC and prints their partitions. Arguments: HOST:PORT TOPIC...
 */
public class Place {
	public static void main(String[] args) throws Exception {
		Properties conf = new Properties();
		conf.put("bootstrap.servers", args[0]);
		conf.put("linger.ms", "20");
		List<List<Future<RecordMetadata>>> rows = new ArrayList<>();
		BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
		var bytes = new ByteArraySerializer();
		try (var producer = new KafkaProducer<byte[], byte[]>(conf, bytes, bytes)) {
			for (String line; (line = in.readLine()) != null;) {
				byte[] key = HexFormat.of().parseHex(line);
				List<Future<RecordMetadata>> row = new ArrayList<>();
				for (int i = 1; i < args.length; i++) {
					var record =
						new ProducerRecord<>(args[i], key, new byte[0]);
					row.add(producer.send(record));
				}
				rows.add(row);
			}
			producer.flush();
			StringBuilder out = new StringBuilder();
			for (var row : rows) {
				for (var sent : row)
					out.append(sent.get().partition()).append(' ');
				out.append('\n');
			}
			System.out.print(out);
		}
	}
}
