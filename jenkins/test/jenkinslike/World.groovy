package jenkinslike

import groovy.json.JsonSlurper

/** A sandbox of rollback: a registry, a Marathon and a Slack on this machine, and the policy for them. */
class World {
    /** The day on which the sandbox's history ends. */
    static final String TODAY = '2024-06-07'
    /** The point before what runs, and what it gives every app of prod. */
    static final String YESTERDAY = '2024-06-06'

    final File folder
    final String program
    final String policy
    private final String marathon

    World(File folder, String program, List<String> flags = []) {
        this.folder = folder
        this.program = program
        folder.mkdirs()
        up(flags)
        policy = new File(folder, '.rollback-sandbox/policy.hcl').getText('UTF-8')
        marathon = (policy =~ /url = "(http:[^"]*)"/)[0][1]
    }

    void up(List<String> flags) {
        run(['sandbox', 'up', '--today', TODAY, '--speed', '30'] + flags)
    }

    void down() {
        run(['sandbox', 'down'])
    }

    /** What every app of an environment runs: its name and the tag of its image. */
    Map<String, String> running(String environment = 'prod') {
        def apps = new JsonSlurper().parse(new URL("$marathon/v2/apps")).apps
        apps.findAll { it.id.startsWith("/ds/$environment/") }
            .collectEntries { [it.id.tokenize('/').last(), it.container.docker.image.tokenize('@').first().tokenize(':').last()] }
            .sort()
    }

    /** Runs rollback, and gives what it prints. */
    String run(List<String> arguments, File where = folder) {
        Process process = new ProcessBuilder([program] + arguments).directory(where).redirectErrorStream(true).start()
        process.outputStream.close()
        String said = process.inputStream.getText('UTF-8')
        if (process.waitFor() != 0) {
            throw new IllegalStateException("rollback $arguments: $said")
        }
        said
    }
}
