package jenkinslike

/**
 * Ends processes as Jenkins does (hudson.util.ProcessTree): every process whose environment has the cookie, with all
 * its descendants, children first, gets SIGTERM, and SIGKILL after a grace; some get it twice. Descent is by parent
 * process only, not by process group or session.
 */
class Killer {
    /** How long a process has after SIGTERM. Jenkins gives it 5 seconds; half a second is harsher. */
    static final long GRACE_MS = 500

    static void killAll(String cookie) {
        Map<Integer, Integer> parents = [:]
        List<Integer> matching = []
        new File('/proc').listFiles().findAll { it.name.isInteger() }.each { File process ->
            try {
                int pid = process.name as int
                String stat = new File(process, 'stat').getText('UTF-8')
                parents[pid] = stat.substring(stat.lastIndexOf(')') + 2).split(' ')[1] as int
                if (new File(process, 'environ').getText('UTF-8').split('\0').any { it == cookie }) {
                    matching << pid
                }
            } catch (IOException ended) {
                // it has ended while we looked
            }
        }
        matching.sort().each { recursively(it, parents) }
    }

    private static void recursively(int pid, Map<Integer, Integer> parents) {
        parents.findAll { it.value == pid }.keySet().each { recursively(it, parents) }
        signal('TERM', pid)
        long deadline = System.nanoTime() + GRACE_MS * 1000000
        while (alive(pid) && System.nanoTime() < deadline) {
            Thread.sleep(10)
        }
        if (alive(pid)) {
            signal('KILL', pid)
        }
    }

    private static void signal(String name, int pid) {
        new ProcessBuilder('kill', "-$name".toString(), "$pid".toString()).redirectErrorStream(true).start().waitFor()
    }

    private static boolean alive(int pid) {
        try {
            String stat = new File("/proc/$pid/stat").getText('UTF-8')
            return stat.substring(stat.lastIndexOf(')') + 2)[0] != 'Z'
        } catch (IOException ended) {
            return false
        }
    }
}
