// SPDX-License-Identifier: BSD-2-Clause

import java.lang.reflect.Field;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/** Ends in the way its argument names. */
public final class Death {
    private Death() {}

    public static void main(String[] args) throws Exception {
        System.out.println("dying: " + args[0]);
        System.out.flush();
        switch (args[0]) {
            case "halt" -> Runtime.getRuntime().halt(3);
            case "throw" -> throw new IllegalStateException("on purpose");
            case "crash" -> {
                Field f = Class.forName("sun.misc.Unsafe").getDeclaredField("theUnsafe");
                f.setAccessible(true);
                f.get(null).getClass().getMethod("putByte", long.class, byte.class).invoke(f.get(null), 8L, (byte) 1);
            }
            case "kill" -> {
                String self = Long.toString(ProcessHandle.current().pid());
                new ProcessBuilder("/app/busybox", "kill", "-9", self).start().waitFor();
                Thread.sleep(60_000);
            }
            case "memory" -> {
                // Outside the heap, so that the VM runs out and not the collector.
                List<ByteBuffer> held = new ArrayList<>();
                for (;;) {
                    ByteBuffer b = ByteBuffer.allocateDirect(1 << 20);
                    for (int i = 0; i < b.capacity(); i += 4096)
                        b.put(i, (byte) 1);
                    held.add(b);
                }
            }
            default -> throw new IllegalArgumentException(args[0]);
        }
    }
}
