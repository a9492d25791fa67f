// SPDX-License-Identifier: BSD-2-Clause

import java.lang.management.ManagementFactory;
import java.lang.management.MemoryMXBean;
import java.lang.management.ThreadInfo;
import java.lang.management.ThreadMXBean;
import javax.management.MBeanServerConnection;
import javax.management.remote.JMXConnector;
import javax.management.remote.JMXConnectorFactory;
import javax.management.remote.JMXServiceURL;

/** Looks at another VM through its JMX port. */
public final class Manage {
    private Manage() {}

    public static void main(String[] args) throws Exception {
        JMXServiceURL url = new JMXServiceURL("service:jmx:rmi:///jndi/rmi://127.0.0.1:" + args[0] + "/jmxrmi");
        try (JMXConnector connector = JMXConnectorFactory.connect(url)) {
            MBeanServerConnection there = connector.getMBeanServerConnection();
            MemoryMXBean memory = ManagementFactory.getPlatformMXBean(there, MemoryMXBean.class);
            ThreadMXBean threads = ManagementFactory.getPlatformMXBean(there, ThreadMXBean.class);
            System.out.println(memory.getHeapMemoryUsage().getUsed() > 0);
            for (ThreadInfo t : threads.dumpAllThreads(false, false))
                if (t.getThreadName().equals("resting"))
                    System.out.println(t.getThreadState());
        }
    }
}
