/** Settings under which rates and peers are not what is tested: each case may come from an address of its own, behind one trusted proxy. */
export const roomyRates = {
  PACKAGE_R_LIMITS_HTTP_RATES_USER_PER_MINUTE: '60000',
  PACKAGE_R_LIMITS_HTTP_RATES_USER_BURST: '20000',
  PACKAGE_R_LIMITS_HTTP_RATES_PEER_PER_MINUTE: '60000',
  PACKAGE_R_LIMITS_HTTP_RATES_PEER_BURST: '20000',
} as const;

export const roomy = { PACKAGE_R_TRUSTED_PROXIES: '127.0.0.1', ...roomyRates } as const;
