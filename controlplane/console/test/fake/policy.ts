export const policies = `// Agents and people of the shop.

@id("agents-read") @record("rows") @rows("1000")
permit (principal in Group::"agents", action in Action::"sql:read", resource in Label::"team=shop");

@id("agents-write")
permit (principal in Group::"agents", action in Action::"sql:write", resource in Schema::"orders-db/public");

@id("no-schema-changes") @reason("Agents do not change schemas; open a migration")
forbid (principal in Group::"agents", action in [Action::"sql:ddl", Action::"sql:drop"], resource);

@id("prod-delete") @approval("2 of dba, 1 of shop-owners") @hold_timeout("10m")
@reason("Bulk delete in production")
forbid (principal, action in [Action::"sql:delete", Action::"sql:truncate"], resource in Label::"env=prod")
when { !context.where || context.rows > 100 }
unless { context.approved };
`;

export const masking = `@id("reveal")
permit (principal, action == Action::"sql:reveal", resource);

@id("pii-partial") @mask("partial:4")
forbid (principal, action == Action::"sql:reveal", resource in DataClass::"pii")
unless { principal is Person && principal in Group::"on-call" && !context.delegated };
`;

export const tests = `principals:
  bot: {kind: agent, groups: [agents]}

resources:
  orders-db: {kind: postgres, labels: {env: prod, team: shop}}

tests:
  - name: an agent drops nothing
    principal: bot
    resource: orders-db
    action: sql:drop
    table: public.orders
    expect: deny
    policies: [no-schema-changes]

  - name: a bulk delete waits
    principal: bot
    resource: orders-db
    action: sql:delete
    table: public.orders
    with: {where: false}
    expect: hold
`;

const bytes = (text: string) => new TextEncoder().encode(text);

export const bundle = { files: { "shop.cedar": bytes(policies), "masking.cedar": bytes(masking), "shop_test.yaml": bytes(tests) } };
export const older = { files: { "shop.cedar": bytes(policies.replace("2 of dba, 1 of shop-owners", "1 of dba").replace(' @rows("1000")', "")), "shop_test.yaml": bytes(tests) } };
