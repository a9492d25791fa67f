// SPDX-License-Identifier: BSD-2-Clause
// ManyThreads N: N threads that are alive at the same time, that all take one lock and one latch, and that are interrupted in the end.
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;

public class ManyThreads {
	static int guarded;

	public static void main(String[] args) throws Exception {
		int n = Integer.parseInt(args[0]);
		var threads = new Thread[n];
		var alive = new CountDownLatch(n);
		var interrupted = new AtomicInteger();
		for (int i = 0; i < n; i++) {
			threads[i] = new Thread(null, () -> {
				synchronized (ManyThreads.class) {
					guarded++;
				}
				alive.countDown();
				try {
					Thread.sleep(Long.MAX_VALUE);
				} catch (InterruptedException e) {
					interrupted.incrementAndGet();
				}
			}, "t" + i, 128 << 10);
			threads[i].start();
		}
		alive.await();
		System.out.println("alive " + guarded);
		for (var t : threads)
			t.interrupt();
		for (var t : threads)
			t.join();
		System.out.println("interrupted " + interrupted);
	}
}
