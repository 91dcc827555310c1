import { mapIssuerFiles } from './certificate-authority.js'
import { absolute, databaseFile } from './named-files.js'
import type { Config } from './schema.js'

/** The configuration with every file and folder in it named from the root. */
export function absolutePaths(config: Config, folder: string): Config {
  const database = databaseFile(config.database, folder)
  const headFile = database === null ? 'openrssp.audit-head' : `${database}.audit-head`
  const { module, pinFile } = config.hsm
  const { tokenFile } = config.metrics
  const { anchorsFile } = config.validation
  return {
    ...config,
    database: database === null ? config.database : `file:${database}`,
    auditHeadFile: absolute(config.auditHeadFile ?? headFile, folder),
    secretsFile: absolute(config.secretsFile, folder),
    hsm: {
      ...config.hsm,
      module: absolute(module, folder),
      pinFile: absolute(pinFile, folder),
      moreTokens: config.hsm.moreTokens.map((token) => ({
        ...token,
        ...(token.module === undefined ? {} : { module: absolute(token.module, folder) }),
        ...(token.pinFile === undefined ? {} : { pinFile: absolute(token.pinFile, folder) }),
      })),
    },
    ...messagePaths(config, folder),
    metrics: {
      ...config.metrics,
      ...(tokenFile === undefined ? {} : { tokenFile: absolute(tokenFile, folder) }),
    },
    validation: {
      ...config.validation,
      ...(anchorsFile === undefined ? {} : { anchorsFile: absolute(anchorsFile, folder) }),
    },
    verification: {
      ...config.verification,
      policies: config.verification.policies.map((each) => ({
        ...each,
        file: absolute(each.file, folder),
      })),
    },
    timestamping: {
      ...config.timestamping,
      external: config.timestamping.external.map((authority) => ({
        ...authority,
        anchorsFile: absolute(authority.anchorsFile, folder),
        ...(authority.passwordFile === undefined
          ? {}
          : { passwordFile: absolute(authority.passwordFile, folder) }),
      })),
    },
    certificateAuthority: {
      ...config.certificateAuthority,
      issuer: mapIssuerFiles(config.certificateAuthority.issuer, (file) => absolute(file, folder)),
    },
    identityProviders: config.identityProviders.map((provider) => {
      const { authentication, userinfo } = provider
      return {
        ...provider,
        authentication:
          authentication.method === 'private_key_jwt'
            ? { ...authentication, keyFile: absolute(authentication.keyFile, folder) }
            : { ...authentication, secretFile: absolute(authentication.secretFile, folder) },
        userinfo:
          userinfo.form === 'encrypted'
            ? { ...userinfo, keyFile: absolute(userinfo.keyFile, folder) }
            : userinfo,
      }
    }),
  }
}

/** Files and folders of the ways codes reach people. */
function messagePaths({ mail, sms }: Config, folder: string): Pick<Config, 'mail' | 'sms'> {
  const path = (file: string) => absolute(file, folder)
  return {
    ...(mail?.transport === 'outbox' ? { mail: { ...mail, folder: path(mail.folder) } } : {}),
    ...(mail?.transport === 'smtp'
      ? {
          mail: {
            ...mail,
            ...(mail.passwordFile === undefined ? {} : { passwordFile: path(mail.passwordFile) }),
            ...(mail.caFile === undefined ? {} : { caFile: path(mail.caFile) }),
          },
        }
      : {}),
    ...(sms?.transport === 'outbox' ? { sms: { ...sms, folder: path(sms.folder) } } : {}),
    ...(sms?.transport === 'http'
      ? {
          sms: {
            ...sms,
            headerFiles: Object.fromEntries(
              Object.entries(sms.headerFiles ?? {}).map(([name, file]) => [name, path(file)]),
            ),
          },
        }
      : {}),
  }
}
