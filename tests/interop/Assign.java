import java.nio.ByteBuffer;
import java.util.*;
import java.util.stream.*;
import java.util.zip.CRC32C;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.*;
import org.apache.kafka.clients.consumer.internals.ConsumerProtocol;
import org.apache.kafka.common.*;

/**
 * Random groups over some generations, and what Kafka's own assignors make of them:
 * tests/unit/plugins/assignors.txt.
 *
 *     javac -cp kafka-clients.jar:slf4j-api.jar -d . Assign.java
 *     java -cp ... Assign >assignors.txt
 *
 * G assignor begins a group. T partitions racks, a line per topic, "a+b/c/-": "-" = none. M id
 * instance rack topics generation had checksum, a line per member: what it was given last, by
 * topic "0:1,2;3:0", in which generation ("?" = it is new), and a CRC-32C of its
 * ConsumerProtocolSubscription. A owners, a line per topic ("-" = nobody) ends a generation.
 *
 * Names are chosen so that the hash tables of Java have them in order.
 */
public class Assign {
	static final String[] RACKS = {"a", "b", "c", "d"};

	static class Member {
		String id, instance, rack;
		List<String> topics = new ArrayList<>();
		List<TopicPartition> had; // null = new
		int generation = -1;
	}

	final Random random;
	final String name;
	final int racks;
	final boolean alike, settled;
	final List<List<List<String>>> topics = new ArrayList<>(); // partitions, racks
	final TreeMap<String, Member> members = new TreeMap<>();
	final StringBuilder out = new StringBuilder();
	int generation;

	public static void main(String[] args) {
		int[] groups = {250, 150, 350, 350};
		String[] names = {"range", "roundrobin", "sticky", "cooperative_sticky"};
		for (int i = 0; i < names.length; i++)
			for (int seed = 1; seed <= groups[i]; seed++)
				new Assign(names[i], new Random(seed)).run();
	}

	Assign(String name, Random random) {
		this.name = name;
		this.random = random;
		racks = random.nextInt(2) == 0 ? 0 : 1 + random.nextInt(RACKS.length);
		alike = random.nextInt(2) == 0;
		settled = random.nextInt(3) > 0;
	}

	ConsumerPartitionAssignor assignor() {
		return switch (name) {
			case "range" -> new RangeAssignor();
			case "roundrobin" -> new RoundRobinAssignor();
			case "sticky" -> new StickyAssignor();
			default -> new CooperativeStickyAssignor();
		};
	}

	void run() {
		int count = 1 + random.nextInt(5), size = 1 + random.nextInt(10);
		boolean together = random.nextInt(3) == 0;
		for (int t = 0; t < count; t++) {
			topics.add(new ArrayList<>());
			grow(t, together ? size
				: random.nextInt(10) == 0 ? 0 : 1 + random.nextInt(12));
		}
		for (int m = 0; m < 1 + random.nextInt(6); m++)
			join();
		out.append("G ").append(name).append('\n');
		int generations = name.contains("sticky") ? 1 + random.nextInt(4) : 1;
		for (generation = 1; generation <= generations; generation++) {
			int before = out.length();
			if (!one()) {
				out.setLength(before);
				break;
			}
			change();
		}
		System.out.println(out);
	}

	void grow(int t, int to) {
		List<List<String>> partitions = topics.get(t);
		boolean everywhere = random.nextInt(6) == 0;
		while (partitions.size() < to) {
			Set<String> names = new LinkedHashSet<>();
			int n = everywhere ? racks
				: 1 + random.nextInt(Math.max(1, Math.min(racks, 3)));
			int first = racks == 0 || everywhere ? 0 : random.nextInt(racks);
			for (int i = 0; i < n && racks > 0; i++)
				names.add(RACKS[(first + i) % racks]);
			partitions.add(new ArrayList<>(names));
		}
	}

	void join() {
		Member m = new Member();
		do
			m.id = "m" + random.nextInt(8);
		while (members.containsKey(m.id));
		m.instance = random.nextInt(4) == 0 ? "i" + random.nextInt(1000) : null;
		m.rack = racks == 0 || random.nextInt(6) == 0 ? null
			: RACKS[random.nextInt(RACKS.length)];
		subscribe(m);
		members.put(m.id, m);
	}

	void subscribe(Member m) {
		m.topics.clear();
		for (int t = 0; t < topics.size(); t++)
			if (alike || random.nextInt(3) > 0)
				m.topics.add("p" + t);
		if (m.topics.isEmpty())
			m.topics.add("p" + random.nextInt(topics.size()));
	}

	/** What happens until the next generation. */
	void change() {
		for (String id : new ArrayList<>(members.keySet()))
			if (members.size() > 1 && random.nextInt(8) == 0)
				members.remove(id);
			else if (!alike && random.nextInt(6) == 0)
				subscribe(members.get(id));
		while (members.size() < 7 && random.nextInt(3) == 0)
			join();
		if (random.nextInt(4) == 0) {
			int t = random.nextInt(topics.size());
			grow(t, topics.get(t).size() + random.nextInt(4));
		}
		if (settled || random.nextInt(2) == 0)
			return;
		// Two members that both believe to have a partition.
		List<Member> all = new ArrayList<>(members.values());
		Member a = all.get(random.nextInt(all.size()));
		Member b = all.get(random.nextInt(all.size()));
		if (a.had != null && b.had != null && !b.had.isEmpty()) {
			TopicPartition at = b.had.get(random.nextInt(b.had.size()));
			if (!a.had.contains(at))
				a.had.add(at);
		}
	}

	static <T> String list(Collection<T> all) {
		return all.isEmpty() ? "-" : all.stream().map(Object::toString)
			.collect(Collectors.joining(","));
	}

	static String had(Member m) {
		if (m.had == null)
			return "?";
		TreeMap<String, List<Integer>> by = new TreeMap<>();
		for (TopicPartition at : m.had)
			by.computeIfAbsent(at.topic().substring(1), k -> new ArrayList<>())
				.add(at.partition());
		return by.isEmpty() ? "-" : by.entrySet().stream()
			.map(e -> e.getKey() + ":" + list(e.getValue()))
			.collect(Collectors.joining(";"));
	}

	Subscription subscription(Member m) {
		ConsumerPartitionAssignor assignor = assignor();
		boolean keeps = name.startsWith("coop");
		if (m.had != null)
			assignor.onAssignment(new Assignment(m.had),
				new ConsumerGroupMetadata("g", m.generation, m.id,
					Optional.empty()));
		Subscription s = new Subscription(m.topics,
			assignor.subscriptionUserData(new HashSet<>(m.topics)),
			keeps && m.had != null ? m.had : List.of(), m.generation,
			Optional.ofNullable(m.rack));
		s.setGroupInstanceId(Optional.ofNullable(m.instance));
		return s;
	}

	Cluster cluster() {
		Map<String, Node> nodes = new HashMap<>();
		for (int i = 0; i < RACKS.length; i++)
			nodes.put(RACKS[i], new Node(i, "host", 9092, RACKS[i]));
		Node plain = new Node(9, "host", 9092);
		List<PartitionInfo> infos = new ArrayList<>();
		for (int t = 0; t < topics.size(); t++)
			for (int p = 0; p < topics.get(t).size(); p++) {
				Node[] at = topics.get(t).get(p).stream().map(nodes::get)
					.toArray(Node[]::new);
				if (at.length == 0)
					at = new Node[] {plain};
				infos.add(new PartitionInfo("p" + t, p, at[0], at, at));
			}
		List<Node> all = new ArrayList<>(nodes.values());
		all.add(plain);
		return new Cluster("c", all, infos, Set.of(), Set.of());
	}

	/** false: Java fails, or gives something to a member that does not want it. */
	boolean one() {
		Map<String, Subscription> subscriptions = new TreeMap<>();
		for (List<List<String>> topic : topics)
			out.append("T ").append(topic.size()).append(' ')
				.append(topic.isEmpty() ? "-" : topic.stream()
					.map(r -> r.isEmpty() ? "-" : String.join("+", r))
					.collect(Collectors.joining("/")))
				.append('\n');
		for (Member m : members.values()) {
			Subscription s = subscription(m);
			subscriptions.put(m.id, s);
			CRC32C sum = new CRC32C();
			sum.update(ConsumerProtocol.serializeSubscription(s));
			out.append("M ").append(m.id).append(' ')
				.append(m.instance == null ? "-" : m.instance).append(' ')
				.append(m.rack == null ? "-" : m.rack).append(' ')
				.append(list(m.topics).replace("p", "")).append(' ')
				.append(m.generation).append(' ').append(had(m)).append(' ')
				.append(Long.toHexString(sum.getValue())).append('\n');
		}
		Map<String, Assignment> given;
		try {
			given = assignor().assign(cluster(), new GroupSubscription(subscriptions))
				.groupAssignment();
		} catch (RuntimeException e) {
			return false;
		}
		for (int t = 0; t < topics.size(); t++) {
			String[] owners = new String[topics.get(t).size()];
			Arrays.fill(owners, "-");
			for (String id : given.keySet())
				for (TopicPartition at : given.get(id).partitions())
					if (at.topic().equals("p" + t)) {
						if (!members.get(id).topics.contains(at.topic()))
							return false;
						owners[at.partition()] = id.substring(1);
					}
			out.append("A ").append(owners.length == 0 ? "-" : String.join(",", owners))
				.append('\n');
		}
		for (Member m : members.values())
			// Some miss it.
			if (m.had == null || settled || random.nextInt(4) > 0) {
				m.had = new ArrayList<>(given.get(m.id).partitions());
				m.generation = generation;
			}
		return true;
	}
}
