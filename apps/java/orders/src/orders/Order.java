// SPDX-License-Identifier: BSD-2-Clause
package orders;

import java.math.BigDecimal;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.Map;

/** One order. Immutable: a change of state makes a new one. */
record Order(long id, String customer, String item, int quantity, BigDecimal price, State state, Instant created) {
    enum State { OPEN, SHIPPED, CANCELLED }

    Order {
        if (customer == null || customer.isBlank())
            throw new IllegalArgumentException("customer is missing");
        if (item == null || item.isBlank())
            throw new IllegalArgumentException("item is missing");
        if (quantity < 1 || quantity > 10_000)
            throw new IllegalArgumentException("quantity must be 1 to 10000");
        if (price == null || price.signum() < 0)
            throw new IllegalArgumentException("price must be 0 or more");
    }

    BigDecimal total() {
        return price.multiply(BigDecimal.valueOf(quantity));
    }

    Order with(State next) {
        return new Order(id, customer, item, quantity, price, next, created);
    }

    Map<String, Object> toJson() {
        Map<String, Object> m = new LinkedHashMap<>();
        m.put("id", id);
        m.put("customer", customer);
        m.put("item", item);
        m.put("quantity", quantity);
        m.put("price", price);
        m.put("total", total());
        m.put("state", state.name().toLowerCase());
        m.put("created_at", created.toString());
        return m;
    }
}
