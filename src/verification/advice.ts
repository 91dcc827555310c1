import type { SubIndication } from './indications.js'
import type { Sentence } from './messages.js'

/** What to do about a signature that did not pass, by what is the matter with it. */
export const ADVICE: Readonly<Record<SubIndication, Sentence>> = {
  FORMAT_FAILURE: {
    en: 'The file is damaged, or not made as its format demands. Get it again from where it came; if it is the same there, have it signed anew.',
    de: 'Die Datei ist beschädigt oder nicht gemacht, wie ihr Format es verlangt. Holen Sie sie noch einmal dort, wo sie herkam; ist sie dort dieselbe, lassen Sie neu signieren.',
    fr: 'Le fichier est endommagé ou n’est pas fait comme son format l’exige. Redemandez-le à sa source ; s’il y est identique, faites-le signer à nouveau.',
    es: 'El fichero está dañado o no está hecho como exige su formato. Pídalo de nuevo a su origen; si allí es igual, haga que se firme de nuevo.',
  },
  HASH_FAILURE: {
    en: 'The content was changed after signing, or belongs to another signature. Do not rely on it; ask the signer for the original.',
    de: 'Der Inhalt wurde nach dem Signieren geändert oder gehört zu einer anderen Signatur. Verlassen Sie sich nicht darauf; bitten Sie den Unterzeichner um das Original.',
    fr: 'Le contenu a été modifié après la signature, ou relève d’une autre signature. Ne vous y fiez pas ; demandez l’original au signataire.',
    es: 'El contenido se cambió tras la firma o es de otra firma. No se fíe de él; pida el original al firmante.',
  },
  SIG_CRYPTO_FAILURE: {
    en: 'The signature is not one of this certificate over this content. Do not rely on it; ask the signer for the original.',
    de: 'Die Signatur ist keine dieses Zertifikats über diesen Inhalt. Verlassen Sie sich nicht darauf; bitten Sie den Unterzeichner um das Original.',
    fr: 'La signature n’est pas de ce certificat sur ce contenu. Ne vous y fiez pas ; demandez l’original au signataire.',
    es: 'La firma no es de este certificado sobre este contenido. No se fíe de ella; pida el original al firmante.',
  },
  REVOKED: {
    en: 'The certificate was revoked before the signature was made. Do not rely on it; have it signed anew with a valid certificate.',
    de: 'Das Zertifikat war widerrufen, bevor die Signatur entstand. Verlassen Sie sich nicht darauf; lassen Sie mit einem gültigen Zertifikat neu signieren.',
    fr: 'Le certificat était révoqué avant la signature. Ne vous y fiez pas ; faites signer à nouveau avec un certificat valide.',
    es: 'El certificado estaba revocado antes de la firma. No se fíe de ella; haga que se firme de nuevo con un certificado válido.',
  },
  EXPIRED: {
    en: 'The certificate had expired before the signature was made. Do not rely on it; have it signed anew with a valid certificate.',
    de: 'Das Zertifikat war abgelaufen, bevor die Signatur entstand. Verlassen Sie sich nicht darauf; lassen Sie mit einem gültigen Zertifikat neu signieren.',
    fr: 'Le certificat avait expiré avant la signature. Ne vous y fiez pas ; faites signer à nouveau avec un certificat valide.',
    es: 'El certificado había caducado antes de la firma. No se fíe de ella; haga que se firme de nuevo con un certificado válido.',
  },
  NOT_YET_VALID: {
    en: 'The signature is older than its certificate. Do not rely on it; ask the signer how that came about.',
    de: 'Die Signatur ist älter als ihr Zertifikat. Verlassen Sie sich nicht darauf; fragen Sie den Unterzeichner, wie das kommt.',
    fr: 'La signature est plus ancienne que son certificat. Ne vous y fiez pas ; demandez au signataire comment cela s’explique.',
    es: 'La firma es anterior a su certificado. No se fíe de ella; pregunte al firmante cómo es posible.',
  },
  SIG_CONSTRAINTS_FAILURE: {
    en: 'What the signature says of itself does not fit together; the notes here say where. Ask the signer, and if in doubt, have it signed anew.',
    de: 'Was die Signatur von sich sagt, passt nicht zusammen; die Hinweise hier sagen, wo. Fragen Sie den Unterzeichner, und lassen Sie im Zweifel neu signieren.',
    fr: 'Ce que la signature dit d’elle-même ne concorde pas ; les remarques ici disent où. Demandez au signataire et, en cas de doute, faites signer à nouveau.',
    es: 'Lo que la firma dice de sí no concuerda; las notas aquí dicen dónde. Pregunte al firmante y, en caso de duda, haga que se firme de nuevo.',
  },
  CHAIN_CONSTRAINTS_FAILURE: {
    en: 'The certificate is not meant for signatures such as this, or was issued by somebody who may not. Ask for a signature with another certificate.',
    de: 'Das Zertifikat ist nicht für solche Signaturen gedacht oder von jemandem ausgestellt, der es nicht darf. Bitten Sie um eine Signatur mit einem anderen Zertifikat.',
    fr: 'Le certificat n’est pas destiné à de telles signatures, ou a été émis par qui n’en avait pas le droit. Demandez une signature avec un autre certificat.',
    es: 'El certificado no es para firmas como esta, o lo emitió quien no puede. Pida una firma con otro certificado.',
  },
  CERTIFICATE_CHAIN_GENERAL_FAILURE: {
    en: 'The certificates above that of the signer demand something that is not known here or not kept. Ask the authority that issued them.',
    de: 'Die Zertifikate über dem des Unterzeichners verlangen etwas, das hier unbekannt oder nicht eingehalten ist. Fragen Sie die Stelle, die sie ausgestellt hat.',
    fr: 'Les certificats au-dessus de celui du signataire exigent quelque chose d’inconnu ici ou de non respecté. Demandez à l’autorité qui les a émis.',
    es: 'Los certificados sobre el del firmante exigen algo desconocido aquí o que no se cumple. Pregunte a la autoridad que los emitió.',
  },
  CRYPTO_CONSTRAINTS_FAILURE: {
    en: 'The signature was made with an algorithm that was not safe any more. Have it signed anew.',
    de: 'Die Signatur wurde mit einem Verfahren erzeugt, das nicht mehr sicher war. Lassen Sie neu signieren.',
    fr: 'La signature a été faite avec un algorithme qui n’était plus sûr. Faites signer à nouveau.',
    es: 'La firma se hizo con un algoritmo que ya no era seguro. Haga que se firme de nuevo.',
  },
  CRYPTO_CONSTRAINTS_FAILURE_NO_POE: {
    en: 'An algorithm in it is not safe. If the signature is from when it was, ask for a version with a timestamp of that time; else have it signed anew.',
    de: 'Ein Verfahren darin ist nicht sicher. Stammt die Signatur aus der Zeit, als es das war, bitten Sie um eine Fassung mit einem Zeitstempel von damals; sonst lassen Sie neu signieren.',
    fr: 'Un de ses algorithmes n’est pas sûr. Si la signature date de l’époque où il l’était, demandez une version avec un horodatage d’alors ; sinon, faites signer à nouveau.',
    es: 'Un algoritmo suyo no es seguro. Si la firma es de cuando lo era, pida una versión con un sello de entonces; si no, haga que se firme de nuevo.',
  },
  TIMESTAMP_ORDER_FAILURE: {
    en: 'Its times contradict each other: a clock was wrong, or somebody tampered with it. Ask the signer for the original.',
    de: 'Ihre Zeiten widersprechen sich: Eine Uhr ging falsch, oder jemand hat sie verändert. Bitten Sie den Unterzeichner um das Original.',
    fr: 'Ses dates se contredisent : une horloge était fausse, ou quelqu’un l’a modifiée. Demandez l’original au signataire.',
    es: 'Sus fechas se contradicen: un reloj iba mal o alguien la alteró. Pida el original al firmante.',
  },
  NO_SIGNING_CERTIFICATE_FOUND: {
    en: 'Ask the signer for a version of the signature with the certificate inside.',
    de: 'Bitten Sie den Unterzeichner um eine Fassung der Signatur, die das Zertifikat enthält.',
    fr: 'Demandez au signataire une version de la signature qui contient le certificat.',
    es: 'Pida al firmante una versión de la firma que contenga el certificado.',
  },
  NO_CERTIFICATE_CHAIN_FOUND: {
    en: 'Nobody who is trusted here vouches for the signer. If you trust the last issuer, the operator of this service can add its root certificate.',
    de: 'Niemand, dem hier vertraut wird, bürgt für den Unterzeichner. Wenn Sie dem letzten Aussteller trauen, kann der Betreiber dieses Dienstes dessen Wurzelzertifikat hinterlegen.',
    fr: 'Nulle autorité reconnue ici ne répond du signataire. Si vous faites confiance au dernier émetteur, l’exploitant de ce service peut ajouter son certificat racine.',
    es: 'Nadie en quien aquí se confía responde del firmante. Si confía en el último emisor, el operador de este servicio puede añadir su certificado raíz.',
  },
  REVOKED_NO_POE: {
    en: 'If the signature is from before the revocation, ask for a version with a timestamp that proves it. Else do not rely on it.',
    de: 'Stammt die Signatur aus der Zeit vor dem Widerruf, bitten Sie um eine Fassung mit einem Zeitstempel, der das beweist. Sonst verlassen Sie sich nicht darauf.',
    fr: 'Si la signature date d’avant la révocation, demandez une version avec un horodatage qui le prouve. Sinon, ne vous y fiez pas.',
    es: 'Si la firma es anterior a la revocación, pida una versión con un sello que lo pruebe. Si no, no se fíe de ella.',
  },
  REVOKED_CA_NO_POE: {
    en: 'The authority itself lost its certificate. If the signature is from before that, ask for a version with a timestamp that proves it. Else do not rely on it.',
    de: 'Die Zertifizierungsstelle selbst hat ihr Zertifikat verloren. Stammt die Signatur von vorher, bitten Sie um eine Fassung mit einem Zeitstempel, der das beweist. Sonst verlassen Sie sich nicht darauf.',
    fr: 'L’autorité elle-même a perdu son certificat. Si la signature est antérieure, demandez une version avec un horodatage qui le prouve. Sinon, ne vous y fiez pas.',
    es: 'La propia autoridad perdió su certificado. Si la firma es anterior, pida una versión con un sello que lo pruebe. Si no, no se fíe de ella.',
  },
  OUT_OF_BOUNDS_NO_POE: {
    en: 'If the signature is from when the certificate was valid, ask for a version with a timestamp of that time; else have it signed anew.',
    de: 'Stammt die Signatur aus der Zeit, als das Zertifikat gültig war, bitten Sie um eine Fassung mit einem Zeitstempel von damals; sonst lassen Sie neu signieren.',
    fr: 'Si la signature date de la période de validité du certificat, demandez une version avec un horodatage d’alors ; sinon, faites signer à nouveau.',
    es: 'Si la firma es de cuando el certificado era válido, pida una versión con un sello de entonces; si no, haga que se firme de nuevo.',
  },
  OUT_OF_BOUNDS_NOT_REVOKED: {
    en: 'The certificate was never revoked; what is missing is a proof that the signature is older than its end. Ask for a version with a timestamp of that time.',
    de: 'Das Zertifikat wurde nie widerrufen; es fehlt ein Beweis, dass die Signatur älter ist als sein Ende. Bitten Sie um eine Fassung mit einem Zeitstempel von damals.',
    fr: 'Le certificat n’a jamais été révoqué ; il manque la preuve que la signature est antérieure à sa fin. Demandez une version avec un horodatage d’alors.',
    es: 'El certificado nunca fue revocado; falta la prueba de que la firma es anterior a su fin. Pida una versión con un sello de entonces.',
  },
  TRY_LATER: {
    en: 'Check again later: news of the certificates could not be had, or are not final. If that stays so, the operator of this service should see whether it reaches their issuers.',
    de: 'Prüfen Sie später noch einmal: Auskunft über die Zertifikate war nicht zu bekommen oder ist nicht endgültig. Bleibt das so, sollte der Betreiber dieses Dienstes nachsehen, ob er deren Aussteller erreicht.',
    fr: 'Vérifiez plus tard : l’état des certificats n’a pu être obtenu, ou n’est pas définitif. Si cela persiste, l’exploitant de ce service devrait voir s’il joint leurs émetteurs.',
    es: 'Compruebe más tarde: el estado de los certificados no pudo obtenerse o no es definitivo. Si sigue así, el operador de este servicio debería ver si alcanza a sus emisores.',
  },
  SIGNED_DATA_NOT_FOUND: {
    en: 'Hand in what was signed together with the signature, under the name that the signature gives it.',
    de: 'Reichen Sie mit der Signatur ein, was signiert wurde, unter dem Namen, den die Signatur ihm gibt.',
    fr: 'Fournissez avec la signature ce qui a été signé, sous le nom que la signature lui donne.',
    es: 'Aporte con la firma lo que se firmó, con el nombre que la firma le da.',
  },
  NO_POE: {
    en: 'Ask for a version with a timestamp that proves when the signature was made.',
    de: 'Bitten Sie um eine Fassung mit einem Zeitstempel, der beweist, wann die Signatur entstand.',
    fr: 'Demandez une version avec un horodatage qui prouve quand la signature a été faite.',
    es: 'Pida una versión con un sello que pruebe cuándo se hizo la firma.',
  },
  POLICY_PROCESSING_ERROR: {
    en: 'Ask the signer which rules the signature was made under, and for their text.',
    de: 'Fragen Sie den Unterzeichner, unter welchen Regeln die Signatur entstand, und bitten Sie um deren Text.',
    fr: 'Demandez au signataire selon quelles règles la signature a été faite, et leur texte.',
    es: 'Pregunte al firmante bajo qué reglas se hizo la firma y pida su texto.',
  },
  SIGNATURE_POLICY_NOT_AVAILABLE: {
    en: 'Ask for the text of the policy where the signature comes from. The operator of this service can add it.',
    de: 'Erfragen Sie den Text der Richtlinie dort, wo die Signatur herkommt. Der Betreiber dieses Dienstes kann ihn hinterlegen.',
    fr: 'Demandez le texte de la politique à l’origine de la signature. L’exploitant de ce service peut l’ajouter.',
    es: 'Pida el texto de la política a quien envió la firma. El operador de este servicio puede añadirlo.',
  },
}
