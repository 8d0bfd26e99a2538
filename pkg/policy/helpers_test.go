package policy

import "github.com/cedar-policy/cedar-go/ast"

func publicAST(r *rule) *ast.Policy { return (*ast.Policy)(r.ast) }
