// SPDX-License-Identifier: BSD-2-Clause

import java.util.Arrays;

/** Says what the launcher made of its command line. */
public final class Main {
    private Main() {}

    public static void main(String[] args) throws Exception {
        System.out.println(Arrays.toString(args) + " x=" + System.getProperty("x") + " cp=" + System.getProperty("java.class.path")
                + " command=" + System.getProperty("sun.java.command") + " agent=" + System.getProperty("agent")
                + " asserts=" + Main.class.desiredAssertionStatus() + " thread=" + Thread.currentThread().getName()
                + " environment=" + (System.getenv("CORTADO_GLUE") == null));
        System.out.println("in: " + new String(System.in.readAllBytes()));
        for (String name : new String[] {"Library", "Versioned"}) {
            try {
                System.out.println(Class.forName(name).getMethod("name").invoke(null));
            } catch (ClassNotFoundException e) {
                System.out.println("no " + name);
            }
        }
        if (System.getProperty("opened") != null) {
            var field = String.class.getDeclaredField("value");
            field.setAccessible(true);
            System.out.println(((byte[]) field.get("ab")).length);
        }
        if (System.getProperty("status") != null)
            System.exit(Integer.getInteger("status"));
    }
}
