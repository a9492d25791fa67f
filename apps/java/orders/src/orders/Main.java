// SPDX-License-Identifier: BSD-2-Clause
package orders;

import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.time.Clock;
import java.time.Duration;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;

/** The orders service. Environment: PORT (8080), SHIP_AFTER_SECONDS (5). Stops cleanly on SIGTERM. */
public final class Main {
    private Main() {}

    public static void main(String[] args) throws IOException {
        int port = Integer.parseInt(System.getenv().getOrDefault("PORT", "8080"));
        Duration age = Duration.ofSeconds(Long.parseLong(System.getenv().getOrDefault("SHIP_AFTER_SECONDS", "5")));
        Store store = new Store(Clock.systemUTC());

        ExecutorService workers = Executors.newFixedThreadPool(
                Math.max(4, 2 * Runtime.getRuntime().availableProcessors()));
        ScheduledExecutorService shipping = Executors.newSingleThreadScheduledExecutor();
        shipping.scheduleWithFixedDelay(() -> store.ship(age), 1, 1, TimeUnit.SECONDS);

        HttpServer server = HttpServer.create(new InetSocketAddress(port), 1024);
        server.createContext("/", new Api(store));
        server.setExecutor(workers);
        server.start();
        System.out.println("orders: listening on port " + port);

        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            server.stop(2); // lets requests under way finish
            shipping.shutdownNow();
            workers.shutdown();
            System.out.println("orders: stopped after " + store.size() + " orders");
        }));
    }
}
