module github.com/rollback-project/rollback/test/gomarathon

go 1.26.8

require (
	github.com/gambol99/go-marathon v0.7.1
	github.com/google/go-cmp v0.7.0
	github.com/rollback-project/rollback v0.0.0
)

require (
	github.com/donovanhide/eventsource v0.0.0-20210830082556-c59027999da0 // indirect
	github.com/golang-jwt/jwt/v5 v5.3.1 // indirect
	github.com/google/go-querystring v1.2.0 // indirect
	github.com/stretchr/testify v1.12.1 // indirect
	gopkg.in/yaml.v2 v2.4.0 // indirect
)

replace github.com/rollback-project/rollback => ../..

// The fork that DC/OS's own command line uses; its API is that of v0.7.1 and later.
replace github.com/gambol99/go-marathon => github.com/mesosphere/go-marathon v0.7.2-0.20200918135514-cdd53d1d13b2
