// SPDX-License-Identifier: BSD-2-Clause
// Threads, a caught NullPointerException (a SIGSEGV inside the JVM once compiled), collections, files, child processes.
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

public class HelloWorld {
	static int length(String s) {
		return s.length();
	}

	public static void main(String[] args) throws Exception {
		System.out.println("Hello, World");
		int caught = 0;
		for (int i = 0; i < 20000; i++) {
			try {
				length(i % 100 == 99 ? null : "four");
			} catch (NullPointerException e) {
				caught++;
			}
		}
		System.out.println("caught " + caught);
		var pool = Executors.newFixedThreadPool(8);
		List<Future<Long>> sums = new ArrayList<>();
		for (int t = 0; t < 16; t++) {
			final int seed = t;
			sums.add(pool.submit(() -> {
				long sum = 0;
				for (int i = 0; i < 20000; i++) {
					byte[] garbage = new byte[1000 + i % 50];
					garbage[i % 1000] = (byte)seed;
					sum += garbage[i % 1000];
				}
				return sum;
			}));
		}
		long total = 0;
		for (var f : sums)
			total += f.get();
		pool.shutdown();
		System.out.println("total " + total);
		try {
			recurse(0);
		} catch (StackOverflowError e) {
			System.out.println("stack overflow caught");
		}
		Path file = Files.createTempFile("hello", ".txt");
		Files.writeString(file, "text");
		System.out.println("file " + Files.readString(file));
		System.exit(args.length > 0 ? Integer.parseInt(args[0]) : 0);
	}

	static int recurse(int n) {
		return recurse(n + 1) + 1;
	}
}
