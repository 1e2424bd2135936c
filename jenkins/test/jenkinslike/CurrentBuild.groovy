package jenkinslike

/** Allows what the pipeline may set, and nothing else. */
class CurrentBuild extends AbstractMap<String, Object> {
    private final Build build

    CurrentBuild(Build build) {
        this.build = build
    }

    Set<Map.Entry<String, Object>> entrySet() {
        [result: build.result, description: build.description].entrySet()
    }

    Object get(Object key) {
        switch (key) {
            case 'result': return build.result
            case 'description': return build.description
            default: throw new MissingPropertyException("currentBuild has no $key")
        }
    }

    Object put(String key, Object value) {
        switch (key) {
            case 'result': build.worsen(value as String); break
            case 'description': build.description = value; break
            default: throw new MissingPropertyException("currentBuild.$key cannot be set")
        }
        value
    }
}
