package jenkinslike

import java.nio.file.FileSystems
import java.nio.file.Files
import java.nio.file.Path

import org.jenkinsci.plugins.workflow.steps.FlowInterruptedException

/**
 * The steps that a default Jenkins with Pipeline has, as far as our pipelines use them. They are strict: a step in the
 * wrong place, a file that is not there, or an argument that Jenkins does not know is an error of the test.
 */
class Steps {
    private final Build build
    private final List<File> workspaces = []
    private final List<String> cookies = []
    private final List<Map<String, String>> environments = []
    private final List<Integer> timeouts = []
    private int nodes
    private int scripts

    Steps(Build build) {
        this.build = build
    }

    /** The names that a pipeline may call, each with its closure. */
    Map<String, Closure> bindings() {
        ['sh', 'echo', 'error', 'node', 'stage', 'withEnv', 'withCredentials', 'timeout', 'input', 'readFile', 'stash',
         'unstash', 'archiveArtifacts', 'junit', 'checkout', 'string', 'usernamePassword', 'choice', 'script',
        ].collectEntries { [it, this.&"$it"] }
    }

    def stage(String name, Closure body) {
        note("stage $name")
        body()
    }

    def script(Closure body) {
        body()
    }

    /** A node has a workspace of its own that nobody has used before: what another node has left is not there. */
    def node(String label = '', Closure body) {
        note("node $label".trim())
        nodes++
        File workspace = new File(build.folder, "agent-$nodes/workspace")
        workspace.mkdirs()
        String cookie = "node-${UUID.randomUUID()}"
        workspaces << workspace
        cookies << cookie
        try {
            return body()
        } finally {
            workspaces.remove(workspaces.size() - 1)
            cookies.remove(cookies.size() - 1)
            Killer.killAll("JENKINS_NODE_COOKIE=$cookie")
        }
    }

    def checkout(Object scm) {
        if (scm != 'scm') {
            throw new IllegalArgumentException("checkout of $scm")
        }
        note('checkout')
        File to = workspace('checkout')
        build.sources.eachFileRecurse { File from ->
            File copy = new File(to, build.sources.toPath().relativize(from.toPath()).toString())
            from.directory ? copy.mkdirs() : (copy.bytes = from.bytes)
        }
    }

    /** EnvStep takes values as they are, and EnvVars.override takes an empty one for "not set". */
    def withEnv(List overrides, Closure body) {
        Map<String, String> values = overrides.collectEntries { String pair ->
            int at = pair.indexOf('=')
            if (at < 1 || pair.substring(0, at).contains('+') || pair.contains('\0')) {
                throw new IllegalArgumentException("withEnv: $pair")
            }
            [pair.substring(0, at), pair.substring(at + 1)]
        }
        within(environments, values, body)
    }

    def string(Map m) {
        only('string', m, ['credentialsId', 'variable'])
        [[m.variable, build.credentials[m.credentialsId]]]
    }

    def usernamePassword(Map m) {
        only('usernamePassword', m, ['credentialsId', 'usernameVariable', 'passwordVariable'])
        List pair = build.credentials[m.credentialsId]
        [[m.usernameVariable, pair?.getAt(0)], [m.passwordVariable, pair?.getAt(1)]]
    }

    def withCredentials(List bindings, Closure body) {
        Map<String, String> values = [:]
        bindings.each { List binding -> binding.each { List pair ->
            if (pair[1] == null) {
                throw new StepFailed('Could not find credentials entry')
            }
            values[pair[0] as String] = pair[1] as String
        } }
        build.secrets.addAll(values.values())
        note("withCredentials ${values.keySet().join(' ')}".trim())
        within(environments, values, body)
    }

    def timeout(Map m, Closure body) {
        only('timeout', m, ['time', 'unit'])
        if (m.unit != 'SECONDS') {
            throw new IllegalArgumentException("timeout in $m.unit")
        }
        note("timeout $m.time s")
        within(timeouts, m.time as int, body)
    }

    /** Asks. The answer comes from the test; without one the time-out strikes, on the pipeline's clock. */
    def input(Map m) {
        only('input', m, ['message', 'ok', 'submitterParameter', 'parameters'])
        if (!workspaces.empty) {
            throw new AssertionError('input inside a node holds an executor while people think')
        }
        note("input ${m.parameters.collect { it.choices.join(',') }.join(';')}")
        build.print("$m.message\n")
        Object answer = build.answer.call(m)
        if (answer == 'NOBODY') {
            if (timeouts.empty) {
                throw new AssertionError('nobody answers, and no timeout ends the wait')
            }
            build.clock += timeouts.min() * 1000
            throw new FlowInterruptedException('timeout')
        }
        if (answer == 'ABORT') {
            build.clock += 5000
            throw new FlowInterruptedException('a person')
        }
        answer
    }

    def choice(Map m) {
        only('choice', m, ['name', 'choices', 'description'])
        if (!m.choices || !m.choices.every { it instanceof String && it }) {
            throw new IllegalArgumentException("choices are texts, and there is one at least: $m.choices")
        }
        m
    }

    def echo(String text) {
        build.print("$text\n")
    }

    def error(String text) {
        throw new StepFailed(text)
    }

    def readFile(Map m) {
        only('readFile', m, ['file', 'encoding'])
        existing('readFile', m.file).getText(m.encoding ?: 'UTF-8')
    }

    def stash(Map m) {
        only('stash', m, ['name', 'includes'])
        note("stash $m.includes")
        File to = new File(build.folder, "stash/$m.name")
        File from = existing('stash', m.includes)
        new File(to, m.includes).with { parentFile.mkdirs(); bytes = from.bytes }
        build.stashes[m.name] = to
    }

    def unstash(String name) {
        note("unstash $name")
        File from = build.stashes[name]
        if (from == null) {
            throw new StepFailed("No such saved stash '$name'")
        }
        from.eachFileRecurse { File file ->
            if (file.file) {
                File to = new File(workspace('unstash'), from.toPath().relativize(file.toPath()).toString())
                to.parentFile.mkdirs()
                to.bytes = file.bytes
            }
        }
    }

    def archiveArtifacts(Map m) {
        only('archiveArtifacts', m, ['artifacts', 'allowEmptyArchive'])
        m.artifacts.split(',')*.trim().each { String pattern ->
            List<String> found = matching(pattern)
            if (found.empty && !m.allowEmptyArchive) {
                throw new StepFailed("No artifacts found that match the file pattern \"$pattern\"")
            }
            found.each {
                File to = new File(build.folder, "archive/$it")
                to.parentFile.mkdirs()
                to.bytes = new File(workspace('archiveArtifacts'), it).bytes
                build.archived << it
            }
        }
        note("archiveArtifacts $m.artifacts")
    }

    /** Reads JUnit's XML; a failed case makes the build unstable. */
    def junit(Map m) {
        only('junit', m, ['testResults', 'allowEmptyResults'])
        note('junit')
        List<String> found = matching(m.testResults)
        if (found.empty && !m.allowEmptyResults) {
            throw new StepFailed('No test report files were found.')
        }
        found.each { String name ->
            def suites = new XmlSlurper().parse(new File(workspace('junit'), name))
            suites.depthFirst().findAll { it.name() == 'testcase' }.each { test ->
                boolean failed = test.children().any { it.name() in ['failure', 'error'] }
                build.tests[failed ? 'failed' : 'passed'] << test.@name.text()
            }
        }
        if (build.tests.failed) {
            build.worsen('UNSTABLE')
        }
    }

    def sh(Map m) {
        only('sh', m, ['script', 'label', 'returnStatus'])
        note("sh ${m.label}")
        scripts++
        Map<String, String> environment = [:]
        environment.putAll(build.machine)
        build.params.each { name, value -> environment[name] = value.toString() }
        environments.each { layer -> layer.each { name, value ->
            value.empty ? environment.remove(name) : environment.put(name, value)
        } }
        environment.WORKSPACE = workspace('sh').path
        environment.JENKINS_NODE_COOKIE = cookies.last()
        int code = new DurableTask(build, workspace('sh'), new File(build.folder, "durable-$scripts")).run(m.script, environment)
        if (m.returnStatus) {
            return code
        }
        if (code != 0) {
            throw new StepFailed("script returned exit code $code")
        }
    }

    private note(String step) {
        build.steps << step
        build.print("[Pipeline] $step\n")
    }

    private static only(String step, Map given, List<String> known) {
        List unknown = (given.keySet() as List) - known
        if (unknown) {
            throw new IllegalArgumentException("$step knows no $unknown")
        }
    }

    private File workspace(String step) {
        if (workspaces.empty) {
            throw new StepFailed("Required context class hudson.FilePath is missing: $step outside a node")
        }
        workspaces.last()
    }

    private File existing(String step, String name) {
        File file = new File(workspace(step), name)
        if (name.startsWith('/') || !file.file) {
            throw new StepFailed("$step: $name does not exist in the workspace")
        }
        file
    }

    private List<String> matching(String pattern) {
        if (pattern.startsWith('/')) {
            throw new IllegalArgumentException("$pattern is not in the workspace")
        }
        Path root = workspace('files').toPath()
        def matcher = FileSystems.default.getPathMatcher("glob:$pattern")
        List<String> found = []
        Files.walk(root).forEach { Path path ->
            if (Files.isRegularFile(path) && matcher.matches(root.relativize(path))) {
                found << root.relativize(path).toString()
            }
        }
        found.sort()
    }

    private static within(List stack, Object value, Closure body) {
        stack << value
        try {
            return body()
        } finally {
            stack.remove(stack.size() - 1)
        }
    }
}
