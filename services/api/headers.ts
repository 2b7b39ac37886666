/** What every answer carries: browsers run nothing of it, frame it nowhere and keep no copy. */
export const responseHeaders = {
  'x-content-type-options': 'nosniff',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'; sandbox",
  'cache-control': 'no-store',
};
