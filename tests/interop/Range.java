import java.nio.ByteBuffer;
import java.util.*;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.Subscription;
import org.apache.kafka.clients.consumer.RangeAssignor;
import org.apache.kafka.common.*;

/**
 * Random groups, and what Kafka's own RangeAssignor makes of them: tests/unit/plugins/range.txt.
 *
 *     javac -cp kafka-clients.jar:slf4j-api.jar -d . Range.java && java -cp ... Range >range.txt
 *
 * T partitions racks, a line per topic: "a+b/c/-", "-" = none; M rack topics, a line per member;
 * A owners, a line per topic ("-" = nobody); an empty line ends a group.
 */
public class Range {
	static final String[] RACKS = {"a", "b", "c", "d"};

	public static void main(String[] args) {
		for (int seed = 1; seed <= 400; seed++)
			one(new Random(seed));
	}

	static void one(Random random) {
		int topics = 1 + random.nextInt(5), members = 1 + random.nextInt(7);
		int racks = random.nextInt(RACKS.length + 1), size = 1 + random.nextInt(12);
		boolean together = random.nextInt(3) > 0;
		Map<String, List<PartitionInfo>> infos = new HashMap<>();
		Map<String, Subscription> subscriptions = new HashMap<>();
		StringBuilder out = new StringBuilder();
		for (int t = 0; t < topics; t++) {
			int count = together ? size : 1 + random.nextInt(12);
			infos.put("t" + t, topic(random, "t" + t, count, racks, out));
		}
		for (int m = 0; m < members; m++)
			subscriptions.put("m" + m, member(random, topics, racks, together, out));
		Map<String, List<TopicPartition>> given =
			new RangeAssignor().assignPartitions(infos, subscriptions);
		for (int t = 0; t < topics; t++) {
			String[] owners = new String[infos.get("t" + t).size()];
			Arrays.fill(owners, "-");
			for (String id : given.keySet())
				for (TopicPartition at : given.get(id))
					if (at.topic().equals("t" + t))
						owners[at.partition()] = id.substring(1);
			out.append("A ").append(String.join(",", owners)).append('\n');
		}
		System.out.println(out);
	}

	static List<PartitionInfo> topic(Random random, String name, int count, int racks,
			StringBuilder out) {
		List<PartitionInfo> infos = new ArrayList<>();
		List<String> texts = new ArrayList<>();
		boolean everywhere = random.nextInt(6) == 0;
		for (int p = 0; p < count; p++) {
			int n = racks == 0 ? 1
				: everywhere ? racks : 1 + random.nextInt(Math.min(racks, 3));
			Node[] nodes = new Node[n];
			Set<String> names = new LinkedHashSet<>();
			int first = racks == 0 ? 0 : everywhere ? 0 : random.nextInt(racks);
			for (int i = 0; i < n; i++) {
				String rack = racks == 0 ? null : RACKS[(first + i) % racks];
				nodes[i] = new Node(i, "host", 9092, rack);
				if (rack != null)
					names.add(rack);
			}
			infos.add(new PartitionInfo(name, p, nodes[0], nodes, nodes));
			texts.add(names.isEmpty() ? "-" : String.join("+", names));
		}
		out.append("T ").append(count).append(' ');
		out.append(String.join("/", texts)).append('\n');
		return infos;
	}

	static Subscription member(Random random, int topics, int racks, boolean together,
			StringBuilder out) {
		List<String> names = new ArrayList<>(), numbers = new ArrayList<>();
		for (int t = 0; t < topics; t++) {
			if (!together && random.nextInt(3) == 0)
				continue;
			names.add("t" + t);
			numbers.add("" + t);
		}
		String rack = racks == 0 || random.nextInt(6) == 0 ? null
			: RACKS[random.nextInt(RACKS.length)];
		out.append("M ").append(rack == null ? "-" : rack).append(' ')
			.append(numbers.isEmpty() ? "-" : String.join(",", numbers)).append('\n');
		return new Subscription(names, (ByteBuffer) null, Collections.emptyList(), -1,
			Optional.ofNullable(rack));
	}
}
