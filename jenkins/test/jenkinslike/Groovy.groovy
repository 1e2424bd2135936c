package jenkinslike

import org.codehaus.groovy.control.CompilerConfiguration
import org.codehaus.groovy.control.customizers.SecureASTCustomizer

/**
 * Refuses what Jenkins's sandbox, or our own rules, do not allow in a pipeline: imports but the two that are needed,
 * constructors, classes by name, methods that are not on the list, and texts with ${…}: what cannot be interpolated
 * cannot be injected.
 */
class Groovy {
    private static final List<String> IMPORTS = [
        'groovy.transform.Field', 'org.jenkinsci.plugins.workflow.steps.FlowInterruptedException',
    ]

    static CompilerConfiguration configuration() {
        SecureASTCustomizer secure = new SecureASTCustomizer()
        secure.importsWhitelist = IMPORTS
        secure.starImportsWhitelist = []
        secure.staticImportsWhitelist = []
        secure.staticStarImportsWhitelist = []
        CompilerConfiguration configuration = new CompilerConfiguration()
        configuration.addCompilationCustomizers(secure, new Rules())
        configuration
    }
}
