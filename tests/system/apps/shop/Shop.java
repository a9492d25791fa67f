// SPDX-License-Identifier: BSD-2-Clause

import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.File;
import java.io.IOException;
import java.util.Map;
import java.util.concurrent.ConcurrentSkipListMap;
import org.apache.catalina.Context;
import org.apache.catalina.startup.Tomcat;

/** A servlet in an embedded Tomcat, as a fat jar: GET /items lists what PUT /items?NAME=PRICE put in. */
public final class Shop extends HttpServlet {
    private final transient Map<String, String> items = new ConcurrentSkipListMap<>();

    public static void main(String[] args) throws Exception {
        Tomcat tomcat = new Tomcat();
        tomcat.setBaseDir(System.getProperty("java.io.tmpdir"));
        tomcat.setPort(8080);
        tomcat.getConnector();
        Context context = tomcat.addContext("", new File(".").getAbsolutePath());
        Tomcat.addServlet(context, "shop", new Shop());
        context.addServletMappingDecoded("/items", "shop");
        tomcat.start();
        System.out.println("shop: open");
        tomcat.getServer().await();
    }

    @Override
    protected void doGet(HttpServletRequest request, HttpServletResponse response) throws IOException {
        response.setContentType("text/plain");
        response.getWriter().println(items);
    }

    @Override
    protected void doPut(HttpServletRequest request, HttpServletResponse response) {
        request.getParameterMap().forEach((name, prices) -> items.put(name, prices[0]));
        response.setStatus(HttpServletResponse.SC_NO_CONTENT);
    }
}
