/** The HTTP API: connect pages, which anybody may open, and `/v1`, which asks who calls. */

import { CfnOutput } from 'aws-cdk-lib'
import {
  type CfnStage,
  DomainName,
  HttpApi,
  HttpMethod,
  HttpRoute,
  SecurityPolicy,
} from 'aws-cdk-lib/aws-apigatewayv2'
import { HttpIamAuthorizer, HttpJwtAuthorizer } from 'aws-cdk-lib/aws-apigatewayv2-authorizers'
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations'
import { Certificate } from 'aws-cdk-lib/aws-certificatemanager'
import type { IFunction } from 'aws-cdk-lib/aws-lambda'
import { LogGroup, type RetentionDays } from 'aws-cdk-lib/aws-logs'
import { ARecord, HostedZone, RecordTarget } from 'aws-cdk-lib/aws-route53'
import { ApiGatewayv2DomainProperties } from 'aws-cdk-lib/aws-route53-targets'
import type { Construct } from 'constructs'
import { grantEndpoints } from '../functions/channel/grant-endpoints.ts'
import type { PostroomConfiguration } from './configuration-schema.ts'

/** The most calls a second, and twice as many at once; more get 429. */
export const callsPerSecond = {
  /** What a browser brings. */
  public: 20,
  /** What talks to a provider while the caller waits: a flood here would be a flood at Microsoft or Google. */
  provider: 5,
  api: 200,
}

/** Neither path nor query nor address: a connect link is a secret, a callback carries a code. */
const accessLogFields = {
  time: '$context.requestTime',
  requestId: '$context.requestId',
  route: '$context.routeKey',
  status: '$context.status',
  milliseconds: '$context.responseLatency',
  error: '$context.error.message',
  integrationError: '$context.integrationErrorMessage',
}

/**
 * Made before the functions, which are told its address; their routes come after (addRoutes).
 * @returns with a domain of one's own the API answers under that alone
 */
export function makeHttpApi(
  scope: Construct,
  { domain, publicUrl }: Pick<PostroomConfiguration, 'domain' | 'publicUrl'>,
): { http: HttpApi; url: string } {
  const description = 'Postroom: connect pages and API'
  if (!domain) {
    const http = new HttpApi(scope, 'Http', { description })
    return { http, url: publicUrl ?? http.apiEndpoint }
  }
  const domainName = new DomainName(scope, 'Domain', {
    domainName: domain.name,
    certificate: Certificate.fromCertificateArn(scope, 'Certificate', domain.certificateArn),
    securityPolicy: SecurityPolicy.TLS_1_2,
  })
  const http = new HttpApi(scope, 'Http', {
    description,
    defaultDomainMapping: { domainName },
    disableExecuteApiEndpoint: true,
  })
  pointTo(scope, domainName, domain)
  return { http, url: `https://${domain.name}` }
}

function pointTo(
  scope: Construct,
  domainName: DomainName,
  { name, hostedZone }: NonNullable<PostroomConfiguration['domain']>,
): void {
  const { regionalDomainName, regionalHostedZoneId } = domainName
  if (hostedZone) {
    const { id: hostedZoneId, name: zoneName } = hostedZone
    const target = RecordTarget.fromAlias(
      new ApiGatewayv2DomainProperties(regionalDomainName, regionalHostedZoneId),
    )
    const zone = HostedZone.fromHostedZoneAttributes(scope, 'HostedZone', { hostedZoneId, zoneName })
    new ARecord(scope, 'DomainRecord', { zone, recordName: `${name}.`, target })
  }
  new CfnOutput(scope, 'DomainTarget', {
    value: regionalDomainName,
    description: 'Where the name of your domain must point (CNAME or alias)',
  })
}

export interface RoutesProps {
  connect: IFunction
  api: IFunction
  /** Serves the console, where there is one. */
  console?: IFunction
  authentication: PostroomConfiguration['authentication']
}

export function addRoutes(http: HttpApi, { connect, api, console, authentication }: RoutesProps): void {
  const authorizer =
    authentication.type === 'iam'
      ? new HttpIamAuthorizer()
      : new HttpJwtAuthorizer('Token', authentication.issuer, { jwtAudience: authentication.audience })

  const toConnect = new HttpLambdaIntegration('ConnectIntegration', connect)
  http.addRoutes({
    path: '/connect/{ticket}',
    methods: [HttpMethod.GET, HttpMethod.POST],
    integration: toConnect,
  })
  http.addRoutes({
    path: '/oauth/{provider}/callback',
    methods: [HttpMethod.GET],
    integration: toConnect,
  })

  // What an app asks that needs a mailbox's tokens; everything else of /v1 cannot reach them.
  for (const { method, path } of Object.values(grantEndpoints)) {
    http.addRoutes({ path, methods: [HttpMethod[method]], integration: toConnect, authorizer })
  }
  http.addRoutes({
    path: '/v1/{proxy+}',
    methods: [HttpMethod.ANY],
    integration: new HttpLambdaIntegration('ApiIntegration', api),
    authorizer,
  })
  if (console) {
    // The files are public; what they show, the API gives to a token alone.
    const integration = new HttpLambdaIntegration('ConsoleIntegration', console)
    for (const path of consolePaths) http.addRoutes({ path, methods: [HttpMethod.GET], integration })
  }
}

const consolePaths = ['/', '/{file}']

/** What the one stage logs, and how many calls it lets through. Comes after the routes. */
export function logAndLimit(scope: Construct, http: HttpApi, logDays: RetentionDays): void {
  const stage = http.defaultStage?.node.defaultChild as CfnStage
  stage.accessLogSettings = {
    destinationArn: new LogGroup(scope, 'HttpLogs', { retention: logDays }).logGroupArn,
    format: JSON.stringify(accessLogFields),
  }
  stage.defaultRouteSettings = {
    throttlingRateLimit: callsPerSecond.api,
    throttlingBurstLimit: 2 * callsPerSecond.api,
  }
  const limited = {
    'GET /connect/{ticket}': callsPerSecond.public,
    'POST /connect/{ticket}': callsPerSecond.public,
    'GET /oauth/{provider}/callback': callsPerSecond.public,
    ...Object.fromEntries(
      Object.values(grantEndpoints).map(({ method, path }) => [`${method} ${path}`, callsPerSecond.provider]),
    ),
  }
  // CDK hands this object on as it is, so its letters are CloudFormation's.
  stage.routeSettings = Object.fromEntries(
    Object.entries(limited).map(([routeKey, limit]) => [
      routeKey,
      { ThrottlingRateLimit: limit, ThrottlingBurstLimit: 2 * limit },
    ]),
  )
  // CloudFormation refuses settings of a route that is not there yet.
  for (const route of http.node.children.filter(child => child instanceof HttpRoute)) {
    stage.node.addDependency(route)
  }
}
