// SPDX-License-Identifier: BSD-2-Clause

/** Waits to be looked at; says its process number first. */
public final class Patient {
    private Patient() {}

    public static void main(String[] args) throws InterruptedException {
        System.out.println("patient " + ProcessHandle.current().pid());
        Thread waiting = new Thread(Patient::rest, "resting");
        waiting.start();
        waiting.join();
    }

    private static void rest() {
        try {
            Thread.sleep(Long.MAX_VALUE);
        } catch (InterruptedException e) {
            return;
        }
    }
}
