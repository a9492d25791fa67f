// SPDX-License-Identifier: BSD-2-Clause
package cortado;

import com.sun.management.HotSpotDiagnosticMXBean;
import java.lang.management.BufferPoolMXBean;
import java.lang.management.GarbageCollectorMXBean;
import java.lang.management.ManagementFactory;
import java.lang.management.MemoryMXBean;
import java.lang.management.MemoryPoolMXBean;
import java.lang.management.MemoryUsage;
import java.lang.management.RuntimeMXBean;
import java.lang.management.ThreadInfo;
import java.lang.management.ThreadMXBean;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The Java side of the control protocol (runtime-glue/proto/README.md). jvm-host calls handle() from its control thread, one
 * request at a time; nothing here touches the application's classes.
 */
public final class Glue {
    private static final int INVALID_REQUEST = -32600;
    private static final int UNKNOWN_METHOD = -32601;
    private static final int WRONG_PARAMS = -32602;
    private static final int FAILED = -32603;
    private static final int PROTOCOL = 1;

    private Glue() {}

    /** The answer to one request line; the greeting for null. Never throws. */
    public static String handle(String line) {
        if (line == null)
            return Json.write(map("jsonrpc", "2.0", "method", "hello", "params", map("runtime", "java", "version",
                    System.getProperty("java.version"), "pid", ProcessHandle.current().pid(), "protocol", PROTOCOL)));
        Object id = null;
        try {
            if (!(Json.parse(line) instanceof Map<?, ?> request) || !(request.get("method") instanceof String method))
                return error(null, INVALID_REQUEST, "not a request");
            id = request.get("id");
            Map<?, ?> params = request.get("params") instanceof Map<?, ?> p ? p : Map.of();
            return Json.write(map("jsonrpc", "2.0", "id", id, "result", call(method, params)));
        } catch (NoSuchMethodException e) {
            return error(id, UNKNOWN_METHOD, e.getMessage());
        } catch (IllegalArgumentException e) {
            return error(id, WRONG_PARAMS, String.valueOf(e.getMessage()));
        } catch (Throwable e) {
            return error(id, FAILED, e.toString());
        }
    }

    private static String error(Object id, int code, String message) {
        return Json.write(map("jsonrpc", "2.0", "id", id, "error", map("code", code, "message", message)));
    }

    private static Object call(String method, Map<?, ?> params) throws Exception {
        return switch (method) {
            case "memory" -> memory();
            case "gc" -> collectors();
            case "gc.run" -> collect();
            case "threads" -> threads(Boolean.TRUE.equals(params.get("stacks")));
            case "info" -> info();
            case "flag.set" -> setFlag(text(params, "name"), text(params, "value"));
            case "heap.free_ratio" -> freeRatio(integer(params, "min"), integer(params, "max"));
            default -> throw new NoSuchMethodException(method);
        };
    }

    private static String text(Map<?, ?> params, String key) {
        if (params.get(key) instanceof String s)
            return s;
        throw new IllegalArgumentException(key + " must be a string");
    }

    private static int integer(Map<?, ?> params, String key) {
        if (params.get(key) instanceof Number n)
            return n.intValue();
        throw new IllegalArgumentException(key + " must be a number");
    }

    static Map<String, Object> map(Object... pairs) {
        Map<String, Object> m = new LinkedHashMap<>();
        for (int i = 0; i < pairs.length; i += 2)
            m.put((String) pairs[i], pairs[i + 1]);
        return m;
    }

    private static Map<String, Object> usage(MemoryUsage u) {
        return map("init_bytes", u.getInit(), "used_bytes", u.getUsed(), "committed_bytes", u.getCommitted(),
                "max_bytes", u.getMax());
    }

    private static Object memory() {
        MemoryMXBean bean = ManagementFactory.getMemoryMXBean();
        List<Object> pools = new ArrayList<>();
        for (MemoryPoolMXBean p : ManagementFactory.getMemoryPoolMXBeans()) {
            MemoryUsage u = p.getUsage();
            if (u != null)
                pools.add(map("name", p.getName(), "type", p.getType().name().toLowerCase(), "used_bytes", u.getUsed(),
                        "committed_bytes", u.getCommitted(), "max_bytes", u.getMax()));
        }
        List<Object> buffers = new ArrayList<>();
        for (BufferPoolMXBean b : ManagementFactory.getPlatformMXBeans(BufferPoolMXBean.class))
            buffers.add(map("name", b.getName(), "count", b.getCount(), "used_bytes", b.getMemoryUsed(),
                    "capacity_bytes", b.getTotalCapacity()));
        return map("heap", usage(bean.getHeapMemoryUsage()), "non_heap", usage(bean.getNonHeapMemoryUsage()), "pools",
                pools, "buffers", buffers);
    }

    private static Object collectors() {
        List<Object> list = new ArrayList<>();
        for (GarbageCollectorMXBean g : ManagementFactory.getGarbageCollectorMXBeans())
            list.add(map("name", g.getName(), "count", g.getCollectionCount(), "time_seconds",
                    g.getCollectionTime() / 1000.0));
        return map("collectors", list);
    }

    private static Object collect() {
        MemoryMXBean bean = ManagementFactory.getMemoryMXBean();
        long before = bean.getHeapMemoryUsage().getUsed();
        bean.gc();
        MemoryUsage after = bean.getHeapMemoryUsage();
        return map("before_bytes", before, "after_bytes", after.getUsed(), "committed_bytes", after.getCommitted());
    }

    private static Object threads(boolean stacks) {
        ThreadMXBean bean = ManagementFactory.getThreadMXBean();
        List<Object> list = new ArrayList<>();
        for (ThreadInfo t : bean.dumpAllThreads(false, false, stacks ? Integer.MAX_VALUE : 0)) {
            long cpu = bean.isThreadCpuTimeSupported() ? bean.getThreadCpuTime(t.getThreadId()) : -1;
            Map<String, Object> m = map("id", t.getThreadId(), "name", t.getThreadName(), "state",
                    t.getThreadState().name().toLowerCase(), "daemon", t.isDaemon(), "cpu_seconds", cpu / 1e9);
            if (stacks) {
                List<Object> frames = new ArrayList<>();
                for (StackTraceElement e : t.getStackTrace())
                    frames.add(e.toString());
                m.put("stack", frames);
            }
            list.add(m);
        }
        return map("count", bean.getThreadCount(), "daemon", bean.getDaemonThreadCount(), "peak",
                bean.getPeakThreadCount(), "started", bean.getTotalStartedThreadCount(), "threads", list);
    }

    private static String collectorName() {
        for (GarbageCollectorMXBean g : ManagementFactory.getGarbageCollectorMXBeans()) {
            String n = g.getName();
            if (n.startsWith("G1"))
                return "g1";
            if (n.startsWith("ZGC"))
                return "z";
            if (n.startsWith("Shenandoah"))
                return "shenandoah";
            if (n.startsWith("PS"))
                return "parallel";
            if (n.equals("Copy") || n.equals("MarkSweepCompact"))
                return "serial";
        }
        return "other";
    }

    private static Object info() {
        RuntimeMXBean r = ManagementFactory.getRuntimeMXBean();
        return map("name", r.getSpecName(), "vendor", r.getSpecVendor(), "version", System.getProperty("java.version"),
                "vm", r.getVmName(), "vm_version", r.getVmVersion(), "uptime_seconds", r.getUptime() / 1000.0,
                "start_time", java.time.Instant.ofEpochMilli(r.getStartTime()).toString(), "options",
                r.getInputArguments(), "processors", Runtime.getRuntime().availableProcessors(), "collector",
                collectorName());
    }

    private static HotSpotDiagnosticMXBean diagnostics() {
        return ManagementFactory.getPlatformMXBean(HotSpotDiagnosticMXBean.class);
    }

    private static Object setFlag(String name, String value) {
        diagnostics().setVMOption(name, value);
        return map();
    }

    /** HotSpot refuses min > max at every single step, so the one that widens the range goes first. */
    private static Object freeRatio(int min, int max) {
        HotSpotDiagnosticMXBean d = diagnostics();
        int oldMax = Integer.parseInt(d.getVMOption("MaxHeapFreeRatio").getValue());
        if (min > oldMax) {
            d.setVMOption("MaxHeapFreeRatio", Integer.toString(max));
            d.setVMOption("MinHeapFreeRatio", Integer.toString(min));
        } else {
            d.setVMOption("MinHeapFreeRatio", Integer.toString(min));
            d.setVMOption("MaxHeapFreeRatio", Integer.toString(max));
        }
        return map();
    }
}
