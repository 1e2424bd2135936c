package jenkinslike

/** Runs a declarative pipeline; knows the directives that ours use, and no others. */
class Declarative {
    private final Build build
    private final Steps steps
    private boolean agentSaid
    private List<Closure> stages = []

    Declarative(Build build, Steps steps) {
        this.build = build
        this.steps = steps
    }

    void run(Closure body) {
        delegate(new Top(this), body)
        if (!agentSaid) {
            throw new IllegalStateException('a declarative pipeline says which agent it wants')
        }
        stages.each { Closure all -> delegate(new Stages(this), all) }
    }

    private static delegate(Object to, Closure body) {
        body.delegate = to
        body.resolveStrategy = Closure.DELEGATE_FIRST
        body()
        to
    }

    private static class Top {
        private final Declarative outer
        final String none = 'none'

        Top(Declarative outer) { this.outer = outer }

        void agent(String which) {
            if (which != 'none') {
                throw new AssertionError('an agent for the whole pipeline is held while people think')
            }
            outer.agentSaid = true
        }

        void parameters(Closure body) { delegate(new Parameters(outer.build), body) }

        void stages(Closure body) { outer.stages << body }
    }

    /** Parameters get their default, unless the person who has started the build has filled them in. */
    private static class Parameters {
        private final Build build

        Parameters(Build build) { this.build = build }

        void string(Map m) { put(m, m.defaultValue) }

        void choice(Map m) { put(m, m.choices[0]) }

        private void put(Map m, Object value) {
            if (!(m.name ==~ /[A-Z]+/) || !m.description) {
                throw new IllegalArgumentException("parameter $m")
            }
            if (!build.params.containsKey(m.name)) {
                build.params[m.name] = value
            }
        }
    }

    private static class Stages {
        private final Declarative outer

        Stages(Declarative outer) { this.outer = outer }

        void stage(String name, Closure body) {
            Stage stage = delegate(new Stage(), body)
            When when = stage.condition ? delegate(new When(), stage.condition) : null
            if (when && !when.beforeAgent && stage.agent) {
                throw new AssertionError("stage $name takes a node before it knows whether it has something to do")
            }
            if (when && !when.satisfied) {
                outer.build.steps << "skipped $name".toString()
                return
            }
            outer.steps.stage(name) {
                if (stage.agent) {
                    outer.steps.node {
                        outer.steps.checkout('scm')
                        stage.body()
                    }
                } else {
                    stage.body()
                }
            }
        }
    }

    private static class Stage {
        final String any = 'any'
        String agent
        Closure condition
        Closure body

        void agent(String which) {
            if (which != 'any') {
                throw new IllegalArgumentException("agent $which")
            }
            agent = which
        }

        void when(Closure body) { condition = body }

        void steps(Closure body) { this.body = body }
    }

    private static class When {
        boolean beforeAgent
        boolean satisfied = true

        void beforeAgent(boolean yes) { beforeAgent = yes }

        void expression(Closure body) { satisfied = satisfied && body() }
    }
}
