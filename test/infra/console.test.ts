import { Template } from 'aws-cdk-lib/assertions'
import { expect, test } from 'vitest'
import type { ConfigurationInput } from '../../infra/configuration-schema.ts'
import { buildApp } from './synthesized.ts'

const jwt = {
  type: 'jwt' as const,
  issuer: 'https://id.example.com',
  audience: ['postroom'],
  accountClaim: 'account',
  operatorScope: 'postroom/operator',
} satisfies ConfigurationInput['authentication']
const console = {
  clientId: 'console',
  authorizationEndpoint: 'https://id.example.com/authorize',
  tokenEndpoint: 'https://id.example.com/token',
}

const templateOf = (configuration: ConfigurationInput) =>
  Template.fromStack(buildApp({ configuration }).system)

function routesOf(template: Template): Record<string, string> {
  const routes = Object.values(template.findResources('AWS::ApiGatewayV2::Route'))
  return Object.fromEntries(
    routes.map(({ Properties: { RouteKey, AuthorizationType } }) => [RouteKey, AuthorizationType]),
  )
}

test('without a console, nothing of it is deployed', () => {
  const template = templateOf({ authentication: jwt })
  expect(routesOf(template)).not.toHaveProperty('GET /')
  template.resourceCountIs('AWS::Lambda::Function', 6)
})

test('the console’s files are public, and what they show asks for a token as before', () => {
  const template = templateOf({ authentication: jwt, console })
  expect(routesOf(template)).toMatchObject({
    'GET /': 'NONE',
    'GET /{file}': 'NONE',
    'ANY /v1/{proxy+}': 'JWT',
  })
})

test('the function that serves the console may only write its log', () => {
  const template = templateOf({ authentication: jwt, console })
  const policies = Object.entries(template.findResources('AWS::IAM::Policy')).filter(([id]) =>
    id.startsWith('Console'),
  )
  const actions = policies.flatMap(([, { Properties }]) =>
    Properties.PolicyDocument.Statement.flatMap(({ Action }: { Action: string | string[] }) => Action),
  )
  expect(actions.toSorted()).toEqual(['logs:CreateLogStream', 'logs:PutLogEvents'])
})

test('its page is told how to sign in, and connecting may come back to it', () => {
  const template = templateOf({ authentication: jwt, console, publicUrl: 'https://mail.example.com' })
  const variables = Object.values(template.findResources('AWS::Lambda::Function')).map(
    ({ Properties }) => Properties.Environment?.Variables ?? {},
  )
  const signIn = variables.find(({ CONSOLE_SIGN_IN }) => CONSOLE_SIGN_IN)?.CONSOLE_SIGN_IN
  expect(JSON.parse(signIn)).toEqual({
    ...console,
    issuer: jwt.issuer,
    scope: 'openid postroom/operator',
    parameters: {},
    accountClaim: 'account',
    operatorScope: 'postroom/operator',
  })
  expect(variables.find(({ RETURN_URLS }) => RETURN_URLS)?.RETURN_URLS).toBe('["https://mail.example.com/"]')
})

test('its page may follow what the API says of large files: to the bucket of mail, and to no other', () => {
  const template = templateOf({ authentication: jwt, console })
  const variables = Object.values(template.findResources('AWS::Lambda::Function')).flatMap(
    ({ Properties }) => Properties.Environment?.Variables?.MAIL_ORIGIN ?? [],
  )
  expect(variables).toEqual([
    {
      'Fn::Join': [
        '',
        ['https://', { 'Fn::ImportValue': expect.stringMatching(/Mail.*RegionalDomainName/) }],
      ],
    },
  ])
})

test('a console whose callers could not sign in is refused', () => {
  expect(() => templateOf({ console })).toThrow('authentication.type must be jwt where there is a console')
})
