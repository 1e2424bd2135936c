package jenkinslike

import org.jenkinsci.plugins.workflow.steps.FlowInterruptedException

/** Runs one sh step as the durable-task plugin does: on its own, its output in a file that is read as it grows. */
class DurableTask {
    private final Build build
    private final File workspace
    private final File control
    private long seen

    DurableTask(Build build, File workspace, File control) {
        this.build = build
        this.workspace = workspace
        this.control = control
    }

    int run(String text, Map<String, String> environment) {
        control.mkdirs()
        File script = new File(control, 'script.sh')
        script.setText(text, 'UTF-8')
        script.executable = true
        File output = new File(control, 'output')
        String cookie = "durable-${UUID.randomUUID()}"
        // A script that names no interpreter is traced, which would print the values of its variables.
        String call = text.startsWith('#!') ? '"$0"' : 'sh -xe "$0"'
        ProcessBuilder builder = new ProcessBuilder('sh', '-c', call + '; exit "$?"', script.path)
        builder.directory(workspace).redirectErrorStream(true).redirectOutput(output)
        builder.environment().with {
            clear()
            putAll(environment)
            JENKINS_SERVER_COOKIE = cookie
        }
        Process process = builder.start()
        process.outputStream.close()
        boolean running = true
        while (running) {
            running = process.alive
            String news = read(output)
            build.print(news)
            if (build.abortWhen && build.log.indexOf(build.abortWhen) >= 0) {
                build.abortWhen = null
                Killer.killAll("JENKINS_SERVER_COOKIE=$cookie")
                build.print(read(output))
                throw new FlowInterruptedException('a person')
            }
            if (running) {
                Thread.sleep(20)
            }
        }
        process.exitValue()
    }

    private String read(File output) {
        RandomAccessFile file = new RandomAccessFile(output, 'r')
        try {
            byte[] news = new byte[(int) (file.length() - seen)]
            file.seek(seen)
            file.readFully(news)
            seen += news.length
            return new String(news, 'UTF-8')
        } finally {
            file.close()
        }
    }
}
