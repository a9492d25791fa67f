// SPDX-License-Identifier: BSD-2-Clause
package orders;

import java.math.BigDecimal;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;

/** Orders in memory, newest last. Safe for any number of threads. */
final class Store {
    private final ConcurrentSkipListMap<Long, Order> orders = new ConcurrentSkipListMap<>();
    private final AtomicLong lastId = new AtomicLong();
    private final LongAdder shipped = new LongAdder();
    private final Clock clock;

    Store(Clock clock) {
        this.clock = clock;
    }

    Order add(String customer, String item, int quantity, BigDecimal price) {
        Order o = new Order(lastId.incrementAndGet(), customer, item, quantity, price, Order.State.OPEN, clock.instant());
        orders.put(o.id(), o);
        return o;
    }

    Optional<Order> find(long id) {
        return Optional.ofNullable(orders.get(id));
    }

    /** Orders after ID, at most LIMIT. */
    List<Order> list(long after, int limit) {
        return orders.tailMap(after, false).values().stream().limit(limit).toList();
    }

    /** Cancels an open order. Empty when there is none of that id; an order in another state comes back unchanged. */
    Optional<Order> cancel(long id) {
        return Optional.ofNullable(orders.computeIfPresent(
                id, (k, o) -> o.state() == Order.State.OPEN ? o.with(Order.State.CANCELLED) : o));
    }

    /** The background job: ships open orders older than AGE. Returns how many. */
    int ship(Duration age) {
        Instant before = clock.instant().minus(age);
        int n = 0;
        for (Order o : orders.values()) {
            if (o.state() != Order.State.OPEN || o.created().isAfter(before))
                continue;
            if (orders.replace(o.id(), o, o.with(Order.State.SHIPPED))) {
                shipped.increment();
                n++;
            }
        }
        return n;
    }

    int size() {
        return orders.size();
    }

    long shipped() {
        return shipped.sum();
    }
}
