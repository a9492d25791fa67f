// SPDX-License-Identifier: BSD-2-Clause

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.HttpURLConnection;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.DigestInputStream;
import java.security.DigestOutputStream;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.stream.Collectors;

/**
 * Answers on port 8080, and plays the client where a test asks for it: GET /PART?WORD WORD ... gives 200 and what the
 * part says, or 500 and the exception.
 */
public final class Network {
    private static final HttpClient CLIENT = HttpClient.newHttpClient();

    private Network() {}

    private interface Part {
        String run(String[] words) throws Exception;
    }

    public static void main(String[] args) throws IOException {
        HttpServer server = HttpServer.create(new InetSocketAddress(8080), 128);
        server.setExecutor(Executors.newFixedThreadPool(8));
        server.createContext("/", e -> answer(e, 200, "hello\n".getBytes(StandardCharsets.UTF_8)));
        server.createContext("/echo", e -> answer(e, 200, e.getRequestBody().readAllBytes()));
        server.createContext("/digest", e -> answer(e, 200, drain(e.getRequestBody()).getBytes(StandardCharsets.UTF_8)));
        server.createContext("/bytes", e -> {
            long length = Long.parseLong(e.getRequestURI().getQuery());
            e.sendResponseHeaders(200, length);
            try (OutputStream out = e.getResponseBody()) {
                pour(out, length);
            }
        });
        part(server, "/file", w -> Files.readString(Path.of(w[0])));
        part(server, "/resolve", w -> Arrays.stream(InetAddress.getAllByName(w[0]))
                .map(InetAddress::getHostAddress).sorted().collect(Collectors.joining("\n")));
        part(server, "/fetch", w -> {
            var r = CLIENT.send(HttpRequest.newBuilder(URI.create(w[0])).build(), HttpResponse.BodyHandlers.ofString());
            return r.statusCode() + " " + r.body();
        });
        part(server, "/connect", w -> {
            try (Socket s = new Socket()) {
                s.connect(new InetSocketAddress(w[0], Integer.parseInt(w[1])), Integer.parseInt(w[2]));
                return "connected";
            }
        });
        part(server, "/upload", w -> upload(URI.create(w[0]), Long.parseLong(w[1])));
        part(server, "/download", w -> drain(URI.create(w[0]).toURL().openStream()));
        part(server, "/loopback", w -> loopback(Integer.parseInt(w[0])));
        server.start();
        System.out.println("network: listening");
    }

    private static void part(HttpServer server, String path, Part part) {
        server.createContext(path, e -> {
            try {
                String[] words = e.getRequestURI().getQuery().split(" ");
                answer(e, 200, part.run(words).getBytes(StandardCharsets.UTF_8));
            } catch (Exception x) {
                answer(e, 500, (x.getClass().getName() + ": " + x.getMessage()).getBytes(StandardCharsets.UTF_8));
            }
        });
    }

    private static void answer(HttpExchange e, int status, byte[] body) throws IOException {
        e.sendResponseHeaders(status, body.length == 0 ? -1 : body.length);
        if (body.length > 0)
            e.getResponseBody().write(body);
        e.close();
    }

    /** LENGTH bytes that differ from place to place, the same every time. */
    private static void pour(OutputStream out, long length) throws IOException {
        byte[] block = new byte[8191];
        for (int i = 0; i < block.length; i++)
            block[i] = (byte) (i * 31 + i / 251);
        for (long left = length; left > 0; left -= block.length)
            out.write(block, 0, (int) Math.min(left, block.length));
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
    }

    /** "LENGTH SHA-256" of all that IN gives. */
    private static String drain(InputStream in) throws IOException {
        MessageDigest digest = sha256();
        try (in) {
            long length = new DigestInputStream(in, digest).transferTo(OutputStream.nullOutputStream());
            return length + " " + HexFormat.of().formatHex(digest.digest());
        }
    }

    /** POST of LENGTH bytes: our SHA-256 of them, and what the server says. */
    private static String upload(URI uri, long length) throws IOException {
        var c = (HttpURLConnection) uri.toURL().openConnection();
        c.setDoOutput(true);
        c.setFixedLengthStreamingMode(length);
        MessageDigest digest = sha256();
        try (OutputStream out = c.getOutputStream()) {
            pour(new DigestOutputStream(out, digest), length);
        }
        try (InputStream in = c.getInputStream()) {
            return length + " " + HexFormat.of().formatHex(digest.digest()) + "\n" + new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    /** Of COUNT requests to ourselves by each client, after as many to warm up: "CLIENT METHOD QUICKEST-TENTH MEDIAN" (ms). */
    private static String loopback(int count) throws Exception {
        URI uri = URI.create("http://127.0.0.1:8080/echo");
        byte[] body = "x".repeat(2000).getBytes(StandardCharsets.UTF_8);
        var get = HttpRequest.newBuilder(uri).build();
        var post = HttpRequest.newBuilder(uri).POST(HttpRequest.BodyPublishers.ofByteArray(body)).build();
        return times("HttpClient GET", count, 0, () -> CLIENT.send(get, HttpResponse.BodyHandlers.ofByteArray()).body())
                + times("HttpClient POST", count, body.length, () -> CLIENT.send(post, HttpResponse.BodyHandlers.ofByteArray()).body())
                + times("HttpURLConnection GET", count, 0, () -> oldClient(uri, null))
                + times("HttpURLConnection POST", count, body.length, () -> oldClient(uri, body));
    }

    private static byte[] oldClient(URI uri, byte[] body) throws IOException {
        var c = (HttpURLConnection) uri.toURL().openConnection();
        if (body != null) {
            c.setDoOutput(true);
            c.getOutputStream().write(body);
        }
        try (InputStream in = c.getInputStream()) {
            return in.readAllBytes();
        }
    }

    private static String times(String what, int count, int length, Callable<byte[]> request) throws Exception {
        double[] took = new double[count];
        for (int i = -count; i < count; i++) {
            long began = System.nanoTime();
            if (request.call().length != length)
                throw new IOException(what + ": the body has another length");
            if (i >= 0)
                took[i] = (System.nanoTime() - began) / 1e6;
        }
        Arrays.sort(took);
        return "%s %.3f %.3f%n".formatted(what, took[count / 10], took[count / 2]);
    }
}
