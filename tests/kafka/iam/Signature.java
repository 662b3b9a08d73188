import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Collectors;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/** AWS Signature Version 4 in the query of a request to connect to Kafka. */
class Signature {
    static final Map<String, String> SECRETS = new ConcurrentHashMap<>();
    private static final Duration SKEW = Duration.ofMinutes(5);

    /** The id of the key that has signed the query for that host, or an exception. */
    static String check(Map<String, String> query, String host) throws GeneralSecurityException {
        Map<String, String> signed = new TreeMap<>(query);
        String given = signed.remove("X-Amz-Signature");
        String[] scope = signed.get("X-Amz-Credential").split("/");
        if (scope.length != 5 || !scope[3].equals("kafka-cluster")
                || !signed.get("Action").equals("kafka-cluster:Connect")
                || !signed.get("X-Amz-SignedHeaders").equals("host"))
            throw new IllegalArgumentException("another request");
        String secret = SECRETS.get(scope[0]);
        if (secret == null)
            throw new IllegalArgumentException("the access key is not known");
        String want = sign(signed, host, scope, secret);
        if (!MessageDigest.isEqual(want.getBytes(), given.getBytes()))
            throw new IllegalArgumentException("the signature is another");
        Instant from = at(signed.get("X-Amz-Date"));
        Instant until = from.plusSeconds(Long.parseLong(signed.get("X-Amz-Expires")));
        if (Instant.now().isAfter(until) || Instant.now().plus(SKEW).isBefore(from))
            throw new IllegalArgumentException("signed for another time");
        return scope[0];
    }

    static Instant at(String time) {
        return LocalDateTime.parse(time, DateTimeFormatter.ofPattern("yyyyMMdd'T'HHmmss'Z'"))
            .toInstant(ZoneOffset.UTC);
    }

    private static String sign(Map<String, String> query, String host, String[] scope,
            String secret) throws GeneralSecurityException {
        String line = query.entrySet().stream()
            .map(e -> encode(e.getKey()) + "=" + encode(e.getValue()))
            .collect(Collectors.joining("&"));
        String request = String.join("\n", "GET", "/", line, "host:" + host, "", "host",
            hash(""));
        String day = scope[1], region = scope[2];
        String text = String.join("\n", "AWS4-HMAC-SHA256", query.get("X-Amz-Date"),
            String.join("/", day, region, scope[3], scope[4]), hash(request));
        byte[] key = ("AWS4" + secret).getBytes(StandardCharsets.UTF_8);
        for (String word : new String[] {day, region, scope[3], scope[4], text})
            key = hmac(key, word);
        return hex(key);
    }

    private static String encode(String text) {
        return URLEncoder.encode(text, StandardCharsets.UTF_8)
            .replace("+", "%20").replace("*", "%2A").replace("%7E", "~");
    }

    private static byte[] hmac(byte[] key, String text) throws GeneralSecurityException {
        Mac mac = Mac.getInstance("HmacSHA256");
        mac.init(new SecretKeySpec(key, "HmacSHA256"));
        return mac.doFinal(text.getBytes(StandardCharsets.UTF_8));
    }

    private static String hash(String text) throws GeneralSecurityException {
        MessageDigest sha = MessageDigest.getInstance("SHA-256");
        return hex(sha.digest(text.getBytes(StandardCharsets.UTF_8)));
    }

    private static String hex(byte[] bytes) {
        StringBuilder out = new StringBuilder();
        for (byte b : bytes)
            out.append(String.format("%02x", b));
        return out.toString();
    }
}
