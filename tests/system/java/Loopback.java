// SPDX-License-Identifier: BSD-2-Clause
// The JDK's own HTTP server and client over loopback: many small requests and one large body each way.
import com.sun.net.httpserver.HttpServer;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.Arrays;
import java.util.concurrent.Executors;

public class Loopback {
	public static void main(String[] args) throws Exception {
		var server = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 50);
		server.setExecutor(Executors.newFixedThreadPool(4));
		server.createContext("/", e -> {
			byte[] body = e.getRequestBody().readAllBytes();
			e.sendResponseHeaders(200, body.length == 0 ? -1 : body.length);
			e.getResponseBody().write(body);
			e.close();
		});
		server.start();
		var uri = URI.create("http://127.0.0.1:" + server.getAddress().getPort() + "/");
		var client = HttpClient.newHttpClient();
		int good = 0;
		for (int i = 0; i < 100; i++) {
			var r = client.send(HttpRequest.newBuilder(uri).POST(HttpRequest.BodyPublishers.ofString("request " + i)).build(),
				HttpResponse.BodyHandlers.ofString());
			good += r.body().equals("request " + i) ? 1 : 0;
		}
		byte[] large = new byte[2 << 20];
		Arrays.fill(large, (byte)'x');
		var r = client.send(HttpRequest.newBuilder(uri).POST(HttpRequest.BodyPublishers.ofByteArray(large)).build(),
			HttpResponse.BodyHandlers.ofByteArray());
		System.out.println(good + " small, large " + Arrays.equals(large, r.body()));
		server.stop(0);
		System.exit(0);
	}
}
