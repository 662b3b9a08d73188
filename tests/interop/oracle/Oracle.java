// SPDX-License-Identifier: BSD-2-Clause
//
// Writes messages of Kafka's own classes with random content, one a line:
//
//     name version hex json
//
// usage: Oracle SEED COUNT [FILTER]
//
// COUNT messages of each version, from SEED on; FILTER is the beginning of a name. What a
// version carries, and what may be null in it, is asked of the generated schemas.

import java.io.BufferedOutputStream;
import java.io.PrintStream;
import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.ParameterizedType;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;

import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.errors.UnsupportedVersionException;
import org.apache.kafka.common.message.ApiMessageType;
import org.apache.kafka.common.message.RequestHeaderData;
import org.apache.kafka.common.message.ResponseHeaderData;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.ObjectSerializationCache;
import org.apache.kafka.common.protocol.types.BoundField;
import org.apache.kafka.common.protocol.types.RawTaggedField;
import org.apache.kafka.common.protocol.types.Schema;
import org.apache.kafka.common.protocol.types.TaggedFields;
import org.apache.kafka.common.protocol.types.Type;

public final class Oracle {
    private static final String PACKAGE = "org.apache.kafka.common.message.";
    // Messages that are no API's. A release that lacks one is fine.
    private static final String[] OTHERS = {
        "ConsumerProtocolSubscription", "ConsumerProtocolAssignment", "DefaultPrincipalData",
        "AbortedTxn", "EndTxnMarker", "ControlRecordTypeSchema",
        "org.apache.kafka.coordinator.group.generated.OffsetCommitKey",
        "org.apache.kafka.coordinator.group.generated.OffsetCommitValue",
        "org.apache.kafka.coordinator.group.generated.GroupMetadataKey",
        "org.apache.kafka.coordinator.group.generated.GroupMetadataValue",
        "org.apache.kafka.coordinator.group.generated.ConsumerGroupMetadataKey",
        "org.apache.kafka.coordinator.group.generated.ConsumerGroupMetadataValue",
        "org.apache.kafka.coordinator.group.generated.ConsumerGroupMemberMetadataKey",
        "org.apache.kafka.coordinator.group.generated.ConsumerGroupMemberMetadataValue",
        "org.apache.kafka.coordinator.group.generated.ConsumerGroupTargetAssignmentMetadataKey",
        "org.apache.kafka.coordinator.group.generated.ConsumerGroupTargetAssignmentMetadataValue",
        "org.apache.kafka.coordinator.group.generated.ConsumerGroupTargetAssignmentMemberKey",
        "org.apache.kafka.coordinator.group.generated.ConsumerGroupTargetAssignmentMemberValue",
        "org.apache.kafka.coordinator.group.generated.ConsumerGroupCurrentMemberAssignmentKey",
        "org.apache.kafka.coordinator.group.generated.ConsumerGroupCurrentMemberAssignmentValue",
        "org.apache.kafka.coordinator.group.generated.ConsumerGroupRegularExpressionKey",
        "org.apache.kafka.coordinator.group.generated.ConsumerGroupRegularExpressionValue",
        "org.apache.kafka.coordinator.transaction.generated.TransactionLogKey",
        "org.apache.kafka.coordinator.transaction.generated.TransactionLogValue",
    };
    private static final String LETTERS = "abcXYZ019.-_ \"\\\n\u0001\u00e4\u20ac";

    private final Random random;
    private int budget; // structs that may still be made

    private Oracle(long seed) {
        random = new Random(seed);
        budget = 16;
    }

    public static void main(String[] args) throws Exception {
        long seed = Long.parseLong(args[0]);
        int count = Integer.parseInt(args[1]);
        String filter = args.length > 2 ? args[2] : "";
        PrintStream out = new PrintStream(
            new BufferedOutputStream(System.out, 1 << 16), false, "UTF-8");
        for (Map.Entry<String, Class<?>> entry : classes().entrySet()) {
            if (!entry.getKey().startsWith(filter))
                continue;
            Message probe = (Message) entry.getValue().getDeclaredConstructor().newInstance();
            for (int v = probe.lowestSupportedVersion(); v <= probe.highestSupportedVersion(); v++)
                for (int i = 0; i < count; i++)
                    write(out, entry.getKey(), entry.getValue(), (short) v, seed + i);
        }
        out.flush();
    }

    private static Map<String, Class<?>> classes() throws Exception {
        Map<String, Class<?>> found = new TreeMap<>();
        for (ApiMessageType api : ApiMessageType.values()) {
            if (!api.listeners().contains(ApiMessageType.ListenerType.BROKER))
                continue; // between controllers
            try {
                found.put(api.name + "Request", api.newRequest().getClass());
                found.put(api.name + "Response", api.newResponse().getClass());
            } catch (UnsupportedVersionException e) {
                System.err.println("oracle: this release has no " + api.name);
            }
        }
        found.put("RequestHeader", RequestHeaderData.class);
        found.put("ResponseHeader", ResponseHeaderData.class);
        for (String name : OTHERS) {
            try {
                Class<?> type = Class.forName(name.contains(".") ? name : PACKAGE + name);
                found.put(type.getSimpleName(), type);
            } catch (ClassNotFoundException e) {
                System.err.println("oracle: this release has no " + name);
            }
        }
        return found;
    }

    private static void write(PrintStream out, String name, Class<?> type, short version, long seed)
            throws Exception {
        Oracle oracle = new Oracle(seed * 1000003 + name.hashCode() * 31L + version);
        Message message = (Message) type.getDeclaredConstructor().newInstance();
        oracle.fill(message, schemaOf(type, version));
        ObjectSerializationCache cache = new ObjectSerializationCache();
        ByteBuffer buffer = ByteBuffer.allocate(message.size(cache, version));
        message.write(new ByteBufferAccessor(buffer), cache, version);
        if (buffer.hasRemaining())
            throw new IllegalStateException(name + " " + version + ": size and bytes differ");
        Method json = Class.forName(type.getName() + "JsonConverter")
            .getMethod("write", type, short.class, boolean.class);
        out.print(name + " " + version + " " + hex(buffer.array()) + " ");
        out.print(json.invoke(null, message, version, false) + "\n");
    }

    private static String hex(byte[] bytes) {
        StringBuilder text = new StringBuilder(bytes.length * 2);
        for (byte b : bytes)
            text.append(Character.forDigit(b >> 4 & 15, 16)).append(Character.forDigit(b & 15, 16));
        return text.length() == 0 ? "-" : text.toString();
    }

    private static Schema schemaOf(Class<?> type, short version) throws Exception {
        return ((Schema[]) type.getField("SCHEMAS").get(null))[version];
    }

    // Java's names have capitals where the schema's have underscores.
    private static String plain(String name) {
        return name.replace("_", "").toLowerCase();
    }

    private void fill(Message message, Schema schema) throws Exception {
        budget--;
        Map<String, Field> members = new HashMap<>();
        for (Field member : message.getClass().getDeclaredFields()) {
            if (!Modifier.isStatic(member.getModifiers())) {
                member.setAccessible(true);
                members.put(plain(member.getName()), member);
            }
        }
        for (BoundField field : schema.fields()) {
            if (!(field.def.type instanceof TaggedFields)) {
                fillMember(message, members.get(plain(field.def.name)), field.def.type);
                continue;
            }
            for (org.apache.kafka.common.protocol.types.Field known : known(field.def.type))
                if (random.nextInt(3) > 0)
                    fillMember(message, members.get(plain(known.name)), known.type);
            if (random.nextInt(4) == 0)
                addUnknownTags(message);
        }
    }

    @SuppressWarnings("unchecked")
    private static Collection<org.apache.kafka.common.protocol.types.Field> known(Type tagged)
            throws Exception {
        Field fields = TaggedFields.class.getDeclaredField("fields");
        fields.setAccessible(true);
        return ((Map<Integer, org.apache.kafka.common.protocol.types.Field>) fields.get(tagged))
            .values();
    }

    private void addUnknownTags(Message message) {
        int tag = 20;
        for (int n = 1 + random.nextInt(2); n > 0; n--) {
            tag += 1 + random.nextInt(1 << random.nextInt(20));
            message.unknownTaggedFields().add(new RawTaggedField(tag, bytes()));
        }
    }

    private void fillMember(Message message, Field member, Type type) throws Exception {
        if (member == null)
            throw new IllegalStateException("no member for a field of " + message.getClass());
        if (type.isNullable() && random.nextInt(4) == 0) {
            member.set(message, null);
        } else if (type.arrayElementType().isPresent()) {
            fillArray(message, member, type.arrayElementType().get());
        } else {
            member.set(message, value(member.getType(), type));
        }
    }

    @SuppressWarnings("unchecked")
    private void fillArray(Message message, Field member, Type element) throws Exception {
        Class<?> type = elementClass(member.getGenericType());
        Collection<Object> array = Collection.class.cast(
            member.getType() == List.class
                ? new ArrayList<>() : member.getType().getDeclaredConstructor().newInstance());
        int n = random.nextInt(5) == 0 ? 0 : 1 + random.nextInt(3);
        if (element instanceof Schema)
            n = Math.min(n, Math.max(budget, 0));
        for (; n > 0; n--)
            array.add(value(type, element));
        member.set(message, array);
    }

    // List<T>, or a collection class of its own that extends one of T.
    private static Class<?> elementClass(java.lang.reflect.Type type) {
        while (!(type instanceof ParameterizedType))
            type = ((Class<?>) type).getGenericSuperclass();
        return (Class<?>) ((ParameterizedType) type).getActualTypeArguments()[0];
    }

    private Object value(Class<?> type, Type wire) throws Exception {
        boolean small = random.nextBoolean();
        if (type == boolean.class || type == Boolean.class)
            return small;
        if (type == byte.class || type == Byte.class)
            return (byte) random.nextInt();
        if (type == short.class || type == Short.class)
            return (short) (small ? random.nextInt(100) : random.nextInt());
        if (type == int.class || type == Integer.class) {
            int n = small ? random.nextInt(100) : random.nextInt();
            return wire == Type.UINT16 ? n & 0xffff : n;
        }
        if (type == long.class || type == Long.class) {
            long n = small ? random.nextInt(100) : random.nextLong();
            return wire == Type.UNSIGNED_INT32 ? n & 0xffffffffL : n;
        }
        if (type == double.class)
            return random.nextGaussian() * 1e6;
        if (type == Uuid.class)
            return new Uuid(random.nextLong(), random.nextLong());
        if (type == String.class)
            return string();
        if (type == byte[].class)
            return bytes();
        if (type == ByteBuffer.class)
            return ByteBuffer.wrap(bytes());
        if (Message.class.isAssignableFrom(type)) {
            Message message = (Message) type.getDeclaredConstructor().newInstance();
            fill(message, schemaWithin(wire));
            return message;
        }
        return records(ByteBuffer.wrap(bytes()));
    }

    // The class has moved over the releases.
    private static Object records(ByteBuffer bytes) throws Exception {
        Class<?> type;
        try {
            type = Class.forName("org.apache.kafka.common.record.internal.MemoryRecords");
        } catch (ClassNotFoundException e) {
            type = Class.forName("org.apache.kafka.common.record.MemoryRecords");
        }
        return type.getMethod("readableRecords", ByteBuffer.class).invoke(null, bytes);
    }

    // A struct that may be null is a schema too, or wraps one.
    private static Schema schemaWithin(Type wire) throws Exception {
        if (wire instanceof Schema)
            return (Schema) wire;
        for (Field member : wire.getClass().getDeclaredFields()) {
            if (Schema.class.isAssignableFrom(member.getType())) {
                member.setAccessible(true);
                return (Schema) member.get(wire);
            }
        }
        throw new IllegalStateException("no schema within " + wire);
    }

    // Mostly short; now and then beyond 127, where a compact length takes a second byte.
    private int length() {
        return random.nextInt(60) == 0 ? 120 + random.nextInt(20) : random.nextInt(7);
    }

    private String string() {
        StringBuilder text = new StringBuilder();
        for (int n = length(); n > 0; n--)
            text.append(LETTERS.charAt(random.nextInt(LETTERS.length())));
        return text.toString();
    }

    private byte[] bytes() {
        byte[] bytes = new byte[length()];
        random.nextBytes(bytes);
        return bytes;
    }
}
