package jenkinslike

/** Runs a declarative pipeline; knows the directives that ours use, and no others. */
class Declarative {
    final Build build
    final Steps steps
    boolean agentSaid
    List<Closure> stages = []

    Declarative(Build build, Steps steps) {
        this.build = build
        this.steps = steps
    }

    void run(Closure body) {
        delegate(new DeclaredTop(this), body)
        if (!agentSaid) {
            throw new IllegalStateException('a declarative pipeline says which agent it wants')
        }
        stages.each { Closure all -> delegate(new DeclaredStages(this), all) }
    }

    static delegate(Object to, Closure body) {
        body.delegate = to
        body.resolveStrategy = Closure.DELEGATE_FIRST
        body()
        to
    }
}

class DeclaredTop {
    private final Declarative outer
    final String none = 'none'

    DeclaredTop(Declarative outer) { this.outer = outer }

    void agent(String which) {
        if (which != 'none') {
            throw new AssertionError('an agent for the whole pipeline is held while people think')
        }
        outer.agentSaid = true
    }

    void parameters(Closure body) { Declarative.delegate(new DeclaredParameters(outer.build), body) }

    void stages(Closure body) { outer.stages << body }
}

/** Parameters get their default, unless the person who has started the build has filled them in. */
class DeclaredParameters {
    private final Build build

    DeclaredParameters(Build build) { this.build = build }

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

class DeclaredStages {
    private final Declarative outer

    DeclaredStages(Declarative outer) { this.outer = outer }

    void stage(String name, Closure body) {
        DeclaredStage stage = Declarative.delegate(new DeclaredStage(), body)
        DeclaredWhen when = stage.condition ? Declarative.delegate(new DeclaredWhen(), stage.condition) : null
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

class DeclaredStage {
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

class DeclaredWhen {
    boolean beforeAgent
    boolean satisfied = true

    void beforeAgent(boolean yes) { beforeAgent = yes }

    void expression(Closure body) { satisfied = satisfied && body() }
}
