// SPDX-License-Identifier: BSD-2-Clause
// ProcessBuilder: output, exit status, environment, a program that does not exist.
import java.io.IOException;
import java.util.Map;

public class Children {
	public static void main(String[] args) throws Exception {
		var b = new ProcessBuilder("/usr/bin/busybox", "sh", "-c", "echo child $MARK; exit 6");
		b.environment().put("MARK", "yes");
		var p = b.start();
		System.out.print(new String(p.getInputStream().readAllBytes()));
		System.out.println("status " + p.waitFor());
		try {
			new ProcessBuilder("/no/such/program").start();
		} catch (IOException e) {
			System.out.println("refused");
		}
	}
}
