package jenkinslike

import org.codehaus.groovy.ast.ClassCodeVisitorSupport
import org.codehaus.groovy.ast.expr.ArgumentListExpression
import org.codehaus.groovy.ast.expr.ClosureExpression
import org.codehaus.groovy.ast.expr.ConstructorCallExpression
import org.codehaus.groovy.ast.expr.Expression
import org.codehaus.groovy.ast.expr.GStringExpression
import org.codehaus.groovy.ast.expr.MethodCallExpression
import org.codehaus.groovy.ast.expr.MethodPointerExpression
import org.codehaus.groovy.ast.expr.StaticMethodCallExpression
import org.codehaus.groovy.ast.stmt.ExpressionStatement
import org.codehaus.groovy.ast.stmt.Statement
import org.codehaus.groovy.control.SourceUnit

/** Walks a pipeline and refuses what is not allowed; see Groovy. */
class RulesVisitor extends ClassCodeVisitorSupport {
    /** Methods of texts, lists and maps that the sandbox allows, and the one static method. */
    private static final List<String> METHODS = [
        'isEmpty', 'readLines', 'find', 'findAll', 'contains', 'keySet', 'join', 'size', 'currentTimeMillis',
    ]
    private final SourceUnit unit

    RulesVisitor(SourceUnit unit) { this.unit = unit }

    protected SourceUnit getSourceUnit() { unit }

    void visitConstructorCallExpression(ConstructorCallExpression call) {
        if (!call.specialCall) {
            refuse(call, "new $call.type.name")
        }
        super.visitConstructorCallExpression(call)
    }

    void visitGStringExpression(GStringExpression text) { refuse(text, 'a text with ${…}') }

    void visitMethodPointerExpression(MethodPointerExpression pointer) { refuse(pointer, 'a method pointer') }

    void visitStaticMethodCallExpression(StaticMethodCallExpression call) { refuse(call, call.text) }

    void visitMethodCallExpression(MethodCallExpression call) {
        if (!call.implicitThis && call.objectExpression.text != 'super' && !METHODS.contains(call.methodAsString)) {
            refuse(call, "the method $call.methodAsString")
        }
        if (call.methodAsString == 'currentTimeMillis' && call.objectExpression.text != 'System') {
            refuse(call, call.text)
        }
        if (call.implicitThis && call.methodAsString == 'steps') {
            onlySteps(call)
        }
        super.visitMethodCallExpression(call)
    }

    /** Declarative allows no Groovy in `steps`, but calls of steps. */
    private void onlySteps(MethodCallExpression call) {
        ClosureExpression body = ((ArgumentListExpression) call.arguments).expressions.last() as ClosureExpression
        body.code.statements.each { Statement statement ->
            Expression expression = statement instanceof ExpressionStatement ? statement.expression : null
            if (!(expression instanceof MethodCallExpression)) {
                refuse(call, 'Groovy in `steps` outside `script`')
            }
        }
    }

    private static void refuse(Expression where, String what) {
        throw new SecurityException("line $where.lineNumber: a pipeline may not have $what")
    }
}
