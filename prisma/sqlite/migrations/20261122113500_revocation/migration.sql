-- CreateTable
CREATE TABLE "IssuedCertificate" (
    "serialNumber" TEXT NOT NULL PRIMARY KEY,
    "keyId" TEXT NOT NULL,
    "profile" TEXT NOT NULL,
    "issuedAt" DATETIME NOT NULL,
    "notAfter" DATETIME NOT NULL,
    "status" TEXT NOT NULL DEFAULT 'good',
    "revokedAt" DATETIME,
    "reason" TEXT
);

-- CreateTable
CREATE TABLE "RevocationList" (
    "issuer" TEXT NOT NULL PRIMARY KEY,
    "number" INTEGER NOT NULL DEFAULT 0,
    "bytes" BLOB,
    "nextUpdate" DATETIME,
    "wanted" INTEGER NOT NULL DEFAULT 0,
    "covered" INTEGER NOT NULL DEFAULT 0
);

-- CreateIndex
CREATE INDEX "IssuedCertificate_keyId_idx" ON "IssuedCertificate"("keyId");

-- CreateIndex
CREATE INDEX "IssuedCertificate_status_notAfter_idx" ON "IssuedCertificate"("status", "notAfter");

-- CreateIndex
CREATE INDEX "IssuedCertificate_issuedAt_idx" ON "IssuedCertificate"("issuedAt");

-- CreateTable
CREATE TABLE "CertificateRequest" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "keyId" TEXT NOT NULL,
    "keyAlgorithm" TEXT NOT NULL,
    "terms" TEXT NOT NULL,
    "binding" TEXT NOT NULL,
    "createdAt" DATETIME NOT NULL
);

-- CreateIndex
CREATE UNIQUE INDEX "CertificateRequest_keyId_key" ON "CertificateRequest"("keyId");
