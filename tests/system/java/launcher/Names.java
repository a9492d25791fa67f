// SPDX-License-Identifier: BSD-2-Clause

/** Threads with names that are hard to pass on. */
public final class Names {
    private Names() {}

    public static void main(String[] args) throws Exception {
        for (String name : new String[] {"caf\u00e9 \u65e5", "\ud83d\ude00", "half \ud83d", "\ude00 half", "nul \0 tab \t \u007f", "\"\\"}) {
            Thread t = new Thread(() -> {
                try {
                    Thread.sleep(Long.MAX_VALUE);
                } catch (InterruptedException e) {
                    return;
                }
            }, name);
            t.setDaemon(true);
            t.start();
        }
        System.in.read();
    }
}
