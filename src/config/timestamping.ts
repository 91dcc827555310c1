import { Type } from '@sinclair/typebox'

const closed = { additionalProperties: false }
const Oid = (description: string, byDefault?: string) =>
  Type.String({
    pattern: '^[0-2](\\.(0|[1-9][0-9]*)){2,}$',
    ...(byDefault === undefined ? {} : { default: byDefault }),
    description,
  })

const ExternalAuthoritySchema = Type.Object(
  {
    url: Type.String({
      pattern: '^https?://[^?#@\\s]+$',
      description: 'Where it takes requests by HTTP (RFC 3161, 3.4).',
    }),
    anchorsFile: Type.String({
      description:
        'PEM file of the certificates that its tokens have to lead to; the chain itself comes with the tokens.',
    }),
    policy: Type.Optional(Oid('Policy to ask for, and to insist on; any when absent.')),
    user: Type.Optional(
      Type.String({ pattern: '^[^:]+$', description: 'User name, for HTTP Basic.' }),
    ),
    passwordFile: Type.Optional(
      Type.String({ description: 'File (mode 0600) with the password that belongs to it.' }),
    ),
  },
  closed,
)

/** Where timestamps come from. docs/timestamping.md explains it. */
export const TimestampingSchema = Type.Object(
  {
    source: Type.Union([Type.Literal('embedded'), Type.Literal('external'), Type.Literal('none')], {
      default: 'embedded',
      description:
        'Who gives timestamps: the authority of this service, with a key in its token; the authorities listed in external; or nobody, and then signatures/timestamp is off and no signature has a level above B-B.',
    }),
    endpoint: Type.Boolean({
      default: true,
      description:
        'Whether the authority of this service also answers POST /tsa, for everybody who can reach it.',
    }),
    policy: Oid(
      'Policy under which the authority of this service gives timestamps. The default belongs to the arc that is there for documentation (RFC 5612) and promises nothing: name the policy you publish.',
      '1.3.6.1.4.1.32473.1.1',
    ),
    morePolicies: Type.Array(Oid('An OID.'), {
      default: [],
      description: 'Further policies, for requests that ask for one of them.',
    }),
    accuracyMilliseconds: Type.Integer({
      minimum: 100,
      maximum: 1000,
      default: 1000,
      description:
        'How far the time in a timestamp may be off. A clock that is found to be off by more than half of it stops the authority.',
    }),
    timeServers: Type.Array(Type.String({ pattern: '^[^\\s:]+(:[0-9]{1,5})?$' }), {
      default: [],
      description:
        'NTP servers (HOST or HOST:PORT) with which the clock is compared every minute. More than half of them have to find it right, or no timestamp is given. Without any, only a clock that is set while the service runs is noticed.',
    }),
    records: Type.Union([Type.Literal('counts'), Type.Literal('each')], {
      default: 'counts',
      description:
        'What the audit log says of timestamps of the authority of this service: how many were given and refused, once a minute; or each, before it is given, which costs a durable write.',
    }),
    external: Type.Array(ExternalAuthoritySchema, {
      default: [],
      description:
        'Authorities of others, the first choice first: url, anchorsFile, policy, user, passwordFile. Each is asked only when those before it fail.',
    }),
    timeoutSeconds: Type.Integer({
      minimum: 1,
      maximum: 60,
      default: 5,
      description: 'How long one of them may take.',
    }),
    toleranceSeconds: Type.Integer({
      minimum: 1,
      maximum: 3600,
      default: 60,
      description: 'How far the time of their tokens may be from ours, and how coarse it may be.',
    }),
  },
  { ...closed, default: {} },
)
