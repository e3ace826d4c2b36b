"""Word lists of six languages (ISO 639-3): function words, openers of noun phrases, and words too plain for a topic."""

FUNCTION_WORDS = {
    "eng": """
        a about above after again against all also although am among an and any are aren't as at away be because been
        before being below between both but by can can't cannot could couldn't did didn't do does doesn't doing
        don't down during each either else even ever every few for from further had hadn't has hasn't have
        haven't having he her here hers herself him himself his how however i if in into is isn't it it's its
        itself just least less many may me might mine more most much must my myself neither never no nor not now
        of off often on once one only onto or other others ought our ours out over own per quite rather same
        shall she should since so some such than that that's the their theirs them themselves then there
        therefore these they this those though through thus to together too toward towards under until unto up
        upon us very via was wasn't we well were weren't what whatever when whenever where whereas whether which
        while who whom whose why will with within without won't would yet you your yours yourself
    """,
    "spa": """
        a al algo algunas algunos ante antes aquel aquella aquellos así aun aunque bajo bien cada casi como con contra
        cual cuales cualquier cuando cuanto de del desde después donde dos durante e el él ella ellas ellos en
        entonces entre era eran es esa esas ese eso esos esta está están estas este esto estos fue fueron ha
        había habían hacia han hasta hay incluso la las le les lo los más me mediante mi mientras mismo misma
        mucho muchos muy nada ni no nos nosotros o otra otras otro otros para pero poco por porque pues que qué
        quien quienes se sea según ser si sí sido sin sino sobre son su sus también tan tanto te tiene tienen
        toda todas todo todos tras tu u un una unas uno unos y ya yo
    """,
    "fra": """
        à afin ai ainsi alors après au aucun aucune aussi autre autres aux avait avant avec avoir bien c'est car ce cela
        celle celles celui ces cet cette ceux chaque chez comme contre d'un d'une dans de déjà depuis des dès
        deux donc dont du elle elles en encore entre est et étaient était été être eu eux fait il ils j'ai je
        l'on la le les leur leurs lors lorsque lui mais même mêmes me moins mon ne ni nos notre nous on ont ou
        où par parce pas peu peut peuvent plus pour pourquoi puis qu'elle qu'il qu'on qu'un qu'une quand que
        quel quelle qui quoi sa sans se selon sera ses si sinon son sont sous sur ta tandis tant te tous tout
        toute toutes très tu un une vers vos votre vous y
    """,
    "deu": """
        ab aber alle allem allen aller alles als also am an andere anderen anderer auch auf aus bei beim bereits bis bzw
        da dabei dadurch daher damit dann daran darauf das dass dem den denn der deren des dessen die dies diese
        diesem diesen dieser dieses doch dort durch ein eine einem einen einer eines er erst es etwa für gegen
        hat hatte hatten haben hier ich ihm ihn ihnen ihr ihre ihrem ihren ihrer im immer in indem ins ist ja je
        jede jedem jeden jeder jedes jedoch kann kein keine keinen können man mehr mit muss müssen nach nicht
        noch nun nur ob oder ohne sehr sein seine seinem seinen seiner seit sich sie sind so sobald sogar solche
        soll sollte sondern sowie über um und uns unter vom von vor war waren was weil welche welcher wenn wer
        werden wie wieder wir wird wo wobei wodurch wurde wurden während zu zum zur zwar zwischen
    """,
    "por": """
        a à ainda além algum alguma algumas alguns ante antes ao aos após aquela aquele aqueles aquilo as às assim até
        bem cada com como contra cujo da das de dela dele deles depois desde dessa desse desta deste do dois dos
        durante e é ela elas ele eles em enquanto então entre era eram essa essas esse esses esta está estão
        estas este estes eu foi foram há isso isto já la lhe lhes mais mas me mediante mesmo mesma muito muitos
        na não nas nem nessa nesse nesta neste no nos nós nossa nosso num numa o onde os ou outra outras outro
        outros para pela pelas pelo pelos pode podem por porque pouco qual quais quando quanto que quem são se
        seja sem sempre ser seu seus si sido sob sobre sua suas também tanto tem têm ter toda todas todo todos
        tudo um uma umas uns você
    """,
    "ita": """
        a ad agli ai al all alla alle allo allora anche ancora avere aveva avevano ben che chi ci ciò ciascuno coi col
        come con contro così cui da dagli dai dal dall dalla dalle dallo degli dei del dell della delle dello
        dentro di dopo dove due dunque durante e è ed era erano essere fino fra fu furono già gli ha hanno i il
        in infatti invece io la le lei li lo loro lui ma mentre mi mio molti molto ne negli nei nel nell nella
        nelle nello noi non nostro o ogni oltre oppure per perché però più poco poi possono può prima qualche
        quale quali quando quanto quasi quella quelle quelli quello questa queste questi questo qui se secondo
        sempre senza si sia sono sopra sotto stata stati stato su sua sue sugli sui sul sull sulla sulle suo
        suoi tra tutta tutte tutti tutto un una uno verso vi
    """,
}

OPENERS = {
    "eng": """
        a an the this these its their his her our your my each every some no of in on by with from for into through
        between under over against per both
    """,
    "spa": """
        el la los las un una unos unas del al de en con por su sus este esta estos estas cada sin sobre entre
    """,
    "fra": """
        le la les un une des du de au aux en avec par sur sans son sa ses leur leurs ce cet cette ces chaque entre
    """,
    "deu": "der die das dem den des ein eine einem einen einer eines im am vom zum zur beim mit von",
    "por": """
        o a os as um uma uns umas do da dos das no na nos nas de em com por seu sua seus suas este esta cada sem
    """,
    "ita": """
        il lo la i gli le un uno una del dello della dei degli delle nel nella di in con per da suo sua questo questa
    """,
}

WEAK_WORDS = {
    "eng": """
        able according actual actually add added allow allows almost along already always another apart appear appeared
        appears around available back based basic become becomes began begin beginning begins behind best better
        big bring brings brought build builds built called came care case cases certain centimetre centimetres
        change changed clear clearly close come comes coming common complete completely consider contain
        contains continue could course cover day days deal decide decides deep depend depends describe despite
        did different difficult directly early easily easy effect eight else end ends enough entire equal
        especially essential etc exact exactly example examples fact far fast feel fewer fifteen fifth fifty
        finally find finds first five follow following follows form forms found four fourth full gave general
        generally get gets give given gives go goes going good got great greater group grow half hand happen
        happens hard help helps hence high higher hold holds hour hours hundred idea ideas important include
        included includes including increase instance instead interesting keep keeps kept kilometre kilometres
        kind kinds know known knows large larger largest last late later lead leads learn leave left let lie
        lies like likely line little long longer look looks lost lot low lower made main mainly make makes
        making man matter mean means meet metre metres million modern moment month months mostly move moves
        moving name named near nearly necessary need needed needs new next nine nothing number obvious old older
        oldest open order original part particular particularly parts people perhaps person place places point
        points possible present pretty probably problem problems produce produced produces provide provided
        provides put puts question quick quickly raise range reach reaches read real really reason reasons
        receive recent remain remains require required rise rises requires rest result results right round run
        running runs said say says second see seem seems seen sense set sets seven several short show shows side
        similar simple simply single six size slow slowly small smaller something sometimes soon sort special
        stand start starts stay step steps still stop strong study sure take taken takes taking tell ten tend
        term terms thing things think third thirty thousand three time times today took top total true try turn
        turned turns twelve twenty two type types typical typically usual usually use used useful user uses
        using value various vary want way ways week went whole wide widely within word words work worked works
        world written wrong year years young
    """,
    "spa": """
        año años bastante buen buena buenas bueno caso cinco cosa cosas cuatro decir día días dice ejemplo embargo forma
        formas gracias gran grande grandes hace hacen hacer importante largo lugar manera mayor mejor menor
        menos mil momento mundo nueva nuevas nuevo nuevos número parte partes pasa pequeña pequeñas pequeño
        pequeños permite persona personas poder posible primer primera primero principal proceso propia propio
        puede pueden punto real resultado segundo segunda siempre siglo sigue tercer tercera tiempo tipo tipos
        trabajo tres única único usa usan utiliza varias varios vez veces vida
    """,
    "fra": """
        an ans année années appelle autour beaucoup besoin bon bonne cas chose choses cinq côté cours dernier dernière
        deuxième différent différents dire dit exemple faire façon fois font forme fort général grand grande
        grandes grands gros important jour jours longtemps manière meilleur mille moment monde nombre nouveau
        nouvelle ordre part partie petit petite petites petits place point possible premier première presque
        propre quatre quelque quelques résultat savoir second seul seule siècle souvent sorte surtout temps
        toujours travail trois trop type utilise vie vraiment
    """,
    "deu": """
        anders art arten beispiel besonders besser bestimmt bleibt braucht bringt dazu drei eigentlich einfach erste
        ersten erster fall fast folgt fünf ganz geben genau gibt groß große großen großer gut gute halb häufig
        heißt heute hoch jahr jahre jahren kleine kleinen kleiner kommt kurz lang lange lassen letzte liegt
        macht mal meist menge mensch menschen möglich nennt neue neuen neuer nimmt oft ort punkt sagt schon
        sieht stark steht stelle tag tage teil teile tut typ vier viel viele vielen völlig weise weit weitere
        weiteren weniger wenig wichtig wichtige zahl zeit zwei zweite
    """,
    "por": """
        ano anos aqui bastante bem boa bom cinco caso coisa coisas dia dias diferente diferentes diz dizer embora
        exemplo fazer forma formas grande grandes hoje importante lado lugar maior maneira mas melhor menor
        menos mil momento mundo nova novas novo novos número parte partes pequena pequeno permite pessoa pessoas
        poder ponto possível primeira primeiro principal próprio quase quatro real resultado segunda segundo
        século tempo tipo tipos trabalho três última último usa usada usado vários várias vez vezes vida
    """,
    "ita": """
        altra altre altri altro anni anno bene bisogno buon buona caso cinque cosa cose dice dire diverse diversi
        esempio fa fanno fare forma forme giorno giorni grande grandi importante lato luogo maggiore maniera
        meglio meno mille modo momento mondo nuova nuove nuovi nuovo numero parte parti particolare persona
        persone piccola piccoli piccolo possibile prima primo principale proprio punto quattro reale risultato
        secolo seconda secondo soprattutto spesso stessa stesso tempo tipi tipo tre ultima ultimo usa usata
        usato varie vari vita volta volte
    """,
}
