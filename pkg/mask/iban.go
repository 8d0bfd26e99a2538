package mask

// ibanLength returns the length of a country's IBAN, 0 if it has none (ISO 13616 registry).
func ibanLength(a, b byte) int {
	if a < 'A' || a > 'Z' || b < 'A' || b > 'Z' {
		return 0
	}
	return int(ibanLengths[int(a-'A')*26+int(b-'A')])
}

var ibanLengths = func() (table [26 * 26]uint8) {
	const registry = "AD24AE23AL28AT20AZ28BA20BE16BG22BH22BI27BR29BY28CH21CR22CY28CZ24DE22DJ27DK18DO28EE20EG29ES24" +
		"FI18FK18FO18FR27GB22GE22GI23GL18GR27GT28HN28HR21HU28IE22IL23IQ23IS26IT27JO30KW30KZ20LB28LC32LI21LT20LU20" +
		"LV21LY25MC27MD24ME22MK19MN20MR27MT31MU30NI28NL18NO15OM23PK24PL28PS29PT25QA29RO24RS22RU33SA24SC31SD18SE24" +
		"SI19SK24SM27SO23ST25SV28TL23TN24TR26UA29VA22VG24XK20YE30"
	for i := 0; i < len(registry); i += 4 {
		a, b := int(registry[i]-'A'), int(registry[i+1]-'A')
		table[a*26+b] = (registry[i+2]-'0')*10 + registry[i+3] - '0'
	}
	return table
}()

// ibanEnd returns where the IBAN that begins at i ends, 0 if there is none. Single spaces may stand in it; lower case
// is taken for upper case. The check is ISO 7064 mod 97-10, with the first four characters moved to the end.
func ibanEnd(b []byte, i int) int {
	length := ibanLength(upper(b[i]), upper(b[i+1]))
	if length == 0 {
		return 0
	}
	var chars [40]byte
	n, at := 0, i
	for ; n < length && at < len(b); at++ {
		switch c := b[at]; {
		case isAlnum(c):
			chars[n] = upper(c)
			n++
		case c != ' ' || b[at-1] == ' ':
			return 0
		}
	}
	if n < length || at < len(b) && isAlnum(b[at]) || !isDigit(chars[3]) {
		return 0
	}
	rest := 0
	for k := range length {
		c := chars[(k+4)%length]
		if isDigit(c) {
			rest = (rest*10 + int(c-'0')) % 97
		} else {
			rest = (rest*100 + int(c-'A') + 10) % 97
		}
	}
	if rest != 1 {
		return 0
	}
	return at
}

func upper(c byte) byte {
	if c-'a' < 26 {
		return c - 'a' + 'A'
	}
	return c
}
