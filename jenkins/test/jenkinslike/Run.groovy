package jenkinslike

import org.jenkinsci.plugins.workflow.steps.FlowInterruptedException

/** Executes a pipeline from one of its two front doors: the Jenkinsfile, or the shared-library step. */
class Run {

    private final Build build
    private final Steps steps

    Run(Build build) {
        this.build = build
        this.steps = new Steps(build)
    }

    /** `settings` differ from what the Jenkinsfile itself says, or are what the step is given. */
    void go(String door, File jenkins, Map settings) {
        def clock = build
        ExpandoMetaClass.enableGlobally()
        System.metaClass.static.currentTimeMillis = { -> clock.clock }
        try {
            door == 'library' ? library(new File(jenkins, 'vars/rollback.groovy'), settings)
                : jenkinsfile(new File(jenkins, 'Jenkinsfile'), settings)
            build.worsen('SUCCESS')
        } catch (FlowInterruptedException aborted) {
            build.worsen('ABORTED')
        } catch (StepFailed failed) {
            build.print("ERROR: $failed.message\n")
            build.worsen('FAILURE')
        }
        build.print("Finished: $build.result\n")
    }

    private void jenkinsfile(File file, Map settings) {
        Script script = parse(file)
        if (settings) {
            Map own = script.settings()
            script.metaClass.settings = { -> own + given(settings) }
        }
        Declarative declarative = new Declarative(build, steps)
        script.binding.setVariable('pipeline') { Closure body -> declarative.run(body) }
        script.run()
    }

    private void library(File file, Map settings) {
        build.params.putAll(['ENVIRONMENT', 'REASON', 'TICKET'].collectEntries { [it, build.params[it] ?: ''] })
        parse(file).call([environments: ['stage', 'prod'], label: 'deploy'] + given(settings))
    }

    /** Settings as a pipeline would write them: bindings of credentials are made by steps. */
    private Map given(Map settings) {
        settings + (settings.credentials ? [credentials: settings.credentials.collect { Closure c ->
            c.delegate = steps
            c.resolveStrategy = Closure.DELEGATE_FIRST
            c()
        }] : [:])
    }

    private Script parse(File file) {
        Binding binding = new Binding(steps.bindings())
        binding.setVariable('params', build.params)
        binding.setVariable('currentBuild', build.currentBuild)
        binding.setVariable('scm', 'scm')
        GroovyCodeSource source = new GroovyCodeSource(file.getText('UTF-8'), door(file), '/pipeline')
        Script script = new GroovyShell(Run.classLoader, binding, Groovy.configuration()).parse(source)
        script.binding = binding
        script
    }

    private static String door(File file) {
        file.name == 'Jenkinsfile' ? 'Jenkinsfile.groovy' : file.name
    }
}
