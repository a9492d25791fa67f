// SPDX-License-Identifier: BSD-2-Clause

/** Ends as its first argument says. */
public final class Endings {
    private Endings() {}

    static final class BadStart {
        static {
            if (true)
                throw new IllegalStateException("in the initializer");
        }

        private BadStart() {}

        public static void main(String[] args) {}
    }

    static final class NoMain {
        private NoMain() {}
    }

    static final class InstanceMain {
        public void main(String[] args) {}
    }

    public static void main(String[] args) throws Exception {
        Thread hook = new Thread(() -> System.out.println("hook"));
        Runtime.getRuntime().addShutdownHook(hook);
        switch (args[0]) {
            case "throw" -> throw new IllegalStateException("on purpose", new RuntimeException("the cause"));
            case "handler" -> {
                Thread.setDefaultUncaughtExceptionHandler((t, e) -> System.out.println(t.getName() + " " + e.getMessage()));
                throw new IllegalStateException("handled");
            }
            case "thread" -> {
                Thread t = new Thread(() -> {
                    throw new IllegalStateException("of a thread");
                }, "other");
                t.start();
                t.join();
            }
            case "exit" -> System.exit(7);
            case "halt" -> Runtime.getRuntime().halt(9);
            case "halt-in-hook" -> {
                Runtime.getRuntime().removeShutdownHook(hook); // hooks run side by side
                Runtime.getRuntime().addShutdownHook(new Thread(() -> Runtime.getRuntime().halt(11)));
            }
            case "lingering" -> new Thread(() -> {
                try {
                    Thread.sleep(300);
                } catch (InterruptedException e) {
                    return;
                }
                System.out.println("last");
                System.exit(5);
            }).start();
            case "daemon" -> {
                Thread t = new Thread(() -> {
                    for (;;)
                        Thread.onSpinWait();
                });
                t.setDaemon(true);
                t.start();
            }
            case "memory" -> {
                long[][] held = new long[1 << 20][];
                for (int i = 0; i < held.length; i++)
                    held[i] = new long[1 << 17];
            }
            default -> throw new IllegalArgumentException(args[0]);
        }
    }
}
