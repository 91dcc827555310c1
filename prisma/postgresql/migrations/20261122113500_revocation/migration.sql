-- CreateTable
CREATE TABLE "IssuedCertificate" (
    "serialNumber" TEXT NOT NULL,
    "keyId" TEXT NOT NULL,
    "profile" TEXT NOT NULL,
    "issuedAt" TIMESTAMP(3) NOT NULL,
    "notAfter" TIMESTAMP(3) NOT NULL,
    "status" TEXT NOT NULL DEFAULT 'good',
    "revokedAt" TIMESTAMP(3),
    "reason" TEXT,

    CONSTRAINT "IssuedCertificate_pkey" PRIMARY KEY ("serialNumber")
);

-- CreateTable
CREATE TABLE "RevocationList" (
    "issuer" TEXT NOT NULL,
    "number" BIGINT NOT NULL DEFAULT 0,
    "bytes" BYTEA,
    "nextUpdate" TIMESTAMP(3),
    "wanted" BIGINT NOT NULL DEFAULT 0,
    "covered" BIGINT NOT NULL DEFAULT 0,

    CONSTRAINT "RevocationList_pkey" PRIMARY KEY ("issuer")
);

-- CreateIndex
CREATE INDEX "IssuedCertificate_keyId_idx" ON "IssuedCertificate"("keyId");

-- CreateIndex
CREATE INDEX "IssuedCertificate_status_notAfter_idx" ON "IssuedCertificate"("status", "notAfter");

-- CreateIndex
CREATE INDEX "IssuedCertificate_issuedAt_idx" ON "IssuedCertificate"("issuedAt");

-- CreateTable
CREATE TABLE "CertificateRequest" (
    "id" TEXT NOT NULL,
    "keyId" TEXT NOT NULL,
    "keyAlgorithm" TEXT NOT NULL,
    "terms" TEXT NOT NULL,
    "binding" TEXT NOT NULL,
    "createdAt" TIMESTAMP(3) NOT NULL,

    CONSTRAINT "CertificateRequest_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE UNIQUE INDEX "CertificateRequest_keyId_key" ON "CertificateRequest"("keyId");
