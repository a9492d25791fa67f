// SPDX-License-Identifier: BSD-2-Clause
package orders;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpHandler;
import java.io.IOException;
import java.io.InputStream;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.atomic.LongAdder;

/** The HTTP interface: /orders, /orders/ID, /load, /stats, /health. */
final class Api implements HttpHandler {
    private static final int MAX_BODY = 64 << 10;

    private final Store store;
    private final Load load = new Load();
    private final LongAdder requests = new LongAdder();
    private final long started = System.nanoTime();

    Api(Store store) {
        this.store = store;
    }

    private static final class Refused extends Exception {
        private static final long serialVersionUID = 1;
        final int status;

        Refused(int status, String message) {
            super(message);
            this.status = status;
        }
    }

    private record Answer(int status, Object body) {}

    @Override
    public void handle(HttpExchange x) throws IOException {
        Answer a;
        requests.increment();
        try {
            a = route(x);
        } catch (Refused e) {
            a = new Answer(e.status, Map.of("error", e.getMessage()));
        } catch (Json.Malformed | IllegalArgumentException e) {
            a = new Answer(400, Map.of("error", e.getMessage()));
        } catch (OutOfMemoryError e) {
            a = new Answer(507, Map.of("error", "not enough heap"));
        }
        byte[] body = Json.write(a.body()).getBytes(StandardCharsets.UTF_8);
        x.getResponseHeaders().set("Content-Type", "application/json");
        x.sendResponseHeaders(a.status(), body.length);
        x.getResponseBody().write(body);
        x.close();
    }

    private Answer route(HttpExchange x) throws IOException, Refused {
        String path = x.getRequestURI().getPath();
        String method = x.getRequestMethod();

        if (path.equals("/orders") && method.equals("GET"))
            return list(x.getRequestURI().getQuery());
        if (path.equals("/orders") && method.equals("POST"))
            return create(body(x));
        if (path.startsWith("/orders/"))
            return one(method, path.substring("/orders/".length()));
        if (path.equals("/load") && method.equals("POST"))
            return hold(body(x));
        if (path.equals("/stats") && method.equals("GET"))
            return new Answer(200, stats());
        if (path.equals("/health") && method.equals("GET"))
            return new Answer(200, Map.of("status", "up"));
        throw new Refused(404, "no such resource: " + method + " " + path);
    }

    private static Map<?, ?> body(HttpExchange x) throws IOException, Refused {
        try (InputStream in = x.getRequestBody()) {
            byte[] bytes = in.readNBytes(MAX_BODY + 1);
            if (bytes.length > MAX_BODY)
                throw new Refused(413, "the body is larger than " + MAX_BODY + " bytes");
            if (Json.parse(new String(bytes, StandardCharsets.UTF_8)) instanceof Map<?, ?> map)
                return map;
            throw new Refused(400, "the body must be an object");
        }
    }

    private static int integer(Map<?, ?> m, String key) {
        if (m.get(key) instanceof BigDecimal d)
            try {
                return d.intValueExact();
            } catch (ArithmeticException e) {
                throw new IllegalArgumentException(key + " must be an integer", e);
            }
        throw new IllegalArgumentException(key + " must be a number");
    }

    private static String string(Map<?, ?> m, String key) {
        if (m.get(key) instanceof String s)
            return s;
        throw new IllegalArgumentException(key + " must be a string");
    }

    private Answer create(Map<?, ?> m) {
        BigDecimal price = m.get("price") instanceof BigDecimal d ? d : null;
        Order o = store.add(string(m, "customer"), string(m, "item"), integer(m, "quantity"), price);
        return new Answer(201, o.toJson());
    }

    private Answer list(String query) {
        long after = 0;
        int limit = 100;
        for (String part : query == null ? new String[0] : query.split("&")) {
            if (part.startsWith("after="))
                after = Long.parseLong(part.substring(6));
            else if (part.startsWith("limit="))
                limit = Math.min(Integer.parseInt(part.substring(6)), 1000);
        }
        return new Answer(200, Map.of("orders", store.list(after, limit).stream().map(Order::toJson).toList()));
    }

    private Answer one(String method, String text) throws Refused {
        long id = Long.parseLong(text);
        return switch (method) {
            case "GET" -> store.find(id).map(o -> new Answer(200, o.toJson()))
                    .orElseThrow(() -> new Refused(404, "no order " + id));
            case "DELETE" -> store.cancel(id)
                    .map(o -> new Answer(o.state() == Order.State.CANCELLED ? 200 : 409, o.toJson()))
                    .orElseThrow(() -> new Refused(404, "no order " + id));
            default -> throw new Refused(405, "use GET or DELETE");
        };
    }

    private Answer hold(Map<?, ?> m) {
        int mib = integer(m, "mib");
        if (mib < 0 || mib > 64 << 10)
            throw new IllegalArgumentException("mib must be 0 to 65536");
        load.hold(mib);
        return new Answer(200, Map.of("held_mib", load.heldMib()));
    }

    private Map<String, Object> stats() {
        Runtime rt = Runtime.getRuntime();
        Map<String, Object> m = new LinkedHashMap<>();
        m.put("orders", store.size());
        m.put("shipped", store.shipped());
        m.put("requests", requests.sum());
        m.put("held_mib", load.heldMib());
        m.put("heap_used_bytes", rt.totalMemory() - rt.freeMemory());
        m.put("heap_committed_bytes", rt.totalMemory());
        m.put("heap_max_bytes", rt.maxMemory());
        m.put("uptime_seconds", (System.nanoTime() - started) / 1_000_000_000L);
        return m;
    }
}
